import Glibc
import Synchronization
import Telemetry
import Testing

@Suite struct LoggerTests {
    private static let boston = WallTime(
        year: 2024, month: 2, day: 1, hour: 10, minute: 56, second: 46, nanosecond: 123_456_789, offset: -18000)
    private static let greenwich = WallTime(
        year: 2026, month: 11, day: 21, hour: 7, minute: 33, second: 0, nanosecond: 5_000_000)

    private func line(
        _ format: LogFormat, at time: WallTime = boston, name: String = "", message: StaticString = "copied key",
        level: LogLevel = .info, _ fields: KeyValuePairs<String, LogValue>
    ) throws -> String {
        let pipe = try Pipe()
        Logger(level: .trace, format: format, name: name, output: pipe.output, clock: { time })
            .log(level, message, fields)
        return pipe.text()
    }

    @Test func writesVaultsLines() throws {
        #expect(
            try line(.standard, ["path": "core/audit"])
                == "2024-02-01T10:56:46.123-0500 [INFO]  copied key: path=core/audit\n")
        #expect(
            try line(
                .standard, at: Self.greenwich, name: "migrate", message: "copied", level: .error, ["entries": 1024])
                == "2026-11-21T07:33:00.005Z [ERROR] migrate: copied: entries=1024\n")
        #expect(
            try line(.standard, at: Self.greenwich, level: .warn, [:])
                == "2026-11-21T07:33:00.005Z [WARN]  copied key\n")
        #expect(
            try line(.json, ["path": "core/audit"])
                == #"{"@level":"info","@message":"copied key","@timestamp":"2024-02-01T10:56:46.123456-05:00","#
                + #""path":"core/audit"}"# + "\n")
        #expect(
            try line(.json, at: Self.greenwich, name: "m", level: .debug, ["b": .double(1.5), "a": true])
                == #"{"@level":"debug","@message":"copied key","@module":"m","#
                + #""@timestamp":"2026-11-21T07:33:00.005000Z","a":true,"b":1.5}"# + "\n")
    }

    @Test(
        arguments: [
            ("plain/key", "k=plain/key"), ("", "k=\"\""), ("two words", "k=\"two words\""), ("a\"b", "k=\"a\\\"b\""),
            ("a\tb", "k=\"a\\tb\""), ("é", "k=\"é\""), ("\u{1B}[2J", "k=\"\\x1b[2J\""), ("\u{200B}", "k=\"\\u200b\""),
            ("a=b\\c", "k=a=b\\c"), ("one\ntwo\u{7}\n", "\n  k=\n  | one\n  | two\\a"),
        ] as [(String, String)])
    func quotesValues(_ value: String, _ expected: String) throws {
        let separator = expected.hasPrefix("\n") ? "" : " "
        #expect(
            try line(.standard, ["k": .string(value)])
                == "2024-02-01T10:56:46.123-0500 [INFO]  copied key:\(separator)\(expected)\n")
    }

    @Test func fieldsGoOnBehindABlock() throws {
        let line = try line(.standard, ["a": 1, "b": "x\n\ny", "c": "p\nq", "d": .double(0.5), "e": ""])
        #expect(line.hasSuffix("copied key: a=1\n  b=\n  | x\n  | \n  | y\n\n  c=\n  | p\n  | q\n   d=0.5 e=\"\"\n"))
    }

    @Test func writesKeysEscaped() throws {
        #expect(try line(.standard, ["k": .key([0x61, 0xFF, 0x5C, 0x0A])]).hasSuffix(#" k=a\xff\\\x0a"# + "\n"))
        #expect(try line(.json, ["k": .key([0x61, 0xFF])]).contains(#""k":"a\\xff""#))
    }

    @Test func dropsWhatIsBelowItsLevel() throws {
        let pipe = try Pipe()
        let logger = Logger(level: .warn, output: pipe.output, clock: { Self.greenwich }).named("a").named("b")
        func unwanted() -> KeyValuePairs<String, LogValue> {
            Issue.record("fields of a dropped line were made")
            return [:]
        }
        logger.info("dropped", unwanted())
        logger.warn("kept")
        #expect(pipe.text() == "2026-11-21T07:33:00.005Z [WARN]  a.b: kept\n")
    }

    @Test(arguments: [("INFO", LogLevel.info), ("warn", .warn), ("Trace", .trace)])
    func readsLevels(_ text: String, _ level: LogLevel) throws {
        #expect(try LogLevel(parsing: text) == level)
    }

    @Test(arguments: ["loud", "", " info"])
    func refusesOtherLevels(_ text: String) {
        let error = #expect(throws: LogLevelError.self) { try LogLevel(parsing: text.uppercased()) }
        #expect(
            error?.description
                == "\(text) is an unknown log level. Valid log levels are: [trace debug info warn error]")
    }

    @Test(arguments: [("json", true), ("vault_json", true), ("vault-json", true), ("VaultJSON", true), ("", false)])
    func readsFormats(_ text: String, _ isJSON: Bool) {
        #expect((LogFormat(parsing: text) == .json) == isJSON)
    }

    @Test func readsTheClockInTheLocalZone() {
        let now = WallTime.now()
        #expect(now.year > 2020 && (1...12).contains(now.month) && (0..<1_000_000_000).contains(now.nanosecond))
    }

    @Test func linesOfManyThreadsStayWhole() throws {
        let pipe = try Pipe()
        let logger = Logger(output: pipe.output, clock: { Self.greenwich })
        runOnThreads(4) { number in
            for _ in 0..<50 { logger.info("a line", ["thread": .integer(number)]) }
        }
        let lines = pipe.text().split(separator: "\n")
        #expect(lines.count == 200)
        #expect(lines.allSatisfy { $0.hasPrefix("2026-11-21T07:33:00.005Z [INFO]  a line: thread=") && $0.count == 49 })
    }
}

/// Runs a body on several threads of their own and waits for all.
func runOnThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    final class Box: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
    let threads = (0..<count).map { number in
        var thread = pthread_t()
        let context = Unmanaged.passRetained(Box { body(number) }).toOpaque()
        pthread_create(
            &thread, nil,
            { context in
                if let context { Unmanaged<Box>.fromOpaque(context).takeRetainedValue().run() }
                return nil
            }, context)
        return thread
    }
    for thread in threads { pthread_join(thread, nil) }
}
