import Foundation
import TestSupport
import Testing

/// What a real browser, chromium without a window, says of a page.
struct PageLook: Decodable {
    struct Overflow: Decodable {
        /// Pixels that the page is wider than its window.
        let page: Double
        /// Elements that stand out of it.
        let elements: [String]
    }
    struct Contrast: Decodable {
        struct Text: Decodable {
            let text: String
            let contrast: Double
        }
        let texts: Int
        let least: Text
    }

    let milliseconds: Double
    let heading: String
    let levels: [Int]
    /// How many `header`, `main` and `footer` there are.
    let landmarks: [Int]
    let language: String
    let headersWithoutScope: Int
    let tablesWithoutHead: Int
    let picturesWithoutText: Int
    let sectionsWithoutName: Int
    let sections: [String]
    let scripts: Int
    let doubleIds: [String]
    let text: String
    /// What stands in `main`, as the browser writes it.
    let main: String
    /// By width.
    let overflow: [String: Overflow]
    /// By scheme and width, and on paper.
    let contrast: [String: Contrast]
    /// What the console said.
    let complaints: [String]
    /// What was asked for, of anybody.
    let requests: [String]

    init(at url: String) throws {
        self = try JSONDecoder().decode(
            PageLook.self,
            from: Data(try runProgram("/usr/bin/env", ["python3", pythonProgram("look_at_page.py"), url]).utf8))
    }

    /// Expects what holds for every page.
    func expectGood(at url: String) {
        #expect(complaints == [] && requests == [url] && scripts == 0)
        #expect(landmarks == [1, 1, 1] && language == "en" && doubleIds == [])
        #expect(headersWithoutScope + tablesWithoutHead + picturesWithoutText + sectionsWithoutName == 0)
        #expect(levels.first == 1 && levels.filter { $0 == 1 }.count == 1)
        #expect(zip(levels, levels.dropFirst()).allSatisfy { $1 <= $0 + 1 }, "\(levels)")
        #expect(Set(overflow.keys) == ["360", "1600"])
        for (width, found) in overflow {
            #expect(found.page <= 0 && found.elements == [], "at \(width): \(found)")
        }
        #expect(contrast.count == 5)
        for (scheme, found) in contrast {
            #expect(found.texts > 20 && found.least.contrast >= 4.5, "\(scheme): \(found.least)")
        }
    }
}

/// What a real browser saw of a page while a run went on.
struct LiveLook: Decodable {
    struct Moment: Decodable {
        let heading: String
        let figures: String
        /// What the page says of its connection.
        let line: String
    }

    let seen: [Moment]
    let title: String
    /// What stood in `main` at the end.
    let main: String
    let complaints: [String]
    let requests: [String]
}
