/// The profiles of the shared credentials and configuration files, merged as the SDKs do: what stands in the credentials
/// file wins (AWS SDKs and Tools Reference Guide, "Shared config and credentials files").
struct SharedConfiguration {
    /// Largest file that is read, in bytes.
    private static let maximumFile = 1 << 20

    struct Profile {
        /// Lower-case names.
        var settings: [String: String] = [:]
        /// The files it stands in, as shown to people.
        var places: [String] = []

        /// A setting that is there and not empty.
        subscript(_ name: String) -> String? {
            settings[name].flatMap { $0.isEmpty ? nil : $0 }
        }
    }

    private(set) var profiles: [String: Profile] = [:]
    /// Settings of the sections `[services NAME]`, by NAME, service and lower-case setting.
    private(set) var services: [String: [String: [String: String]]] = [:]
    /// What could not be read, as shown to people.
    private(set) var remarks: [String] = []

    /// Reads the files that the environment names, or those in the home folder. A missing file is an empty one.
    init(environment: [String: String]) {
        let home = environment["HOME"].flatMap { $0.isEmpty ? nil : $0 }
        func path(_ variable: String, _ name: String) -> String? {
            if let path = environment[variable], !path.isEmpty { return path }
            return home.map { "\($0)/.aws/\(name)" }
        }
        if let path = path("AWS_CONFIG_FILE", "config") { read(path, isConfiguration: true, home: home) }
        if let path = path("AWS_SHARED_CREDENTIALS_FILE", "credentials") {
            read(path, isConfiguration: false, home: home)
        }
    }

    private mutating func read(_ path: String, isConfiguration: Bool, home: String?) {
        let shownPath = home.flatMap { path.hasPrefix($0 + "/") ? "~" + path.dropFirst($0.count) : nil } ?? path
        do throws(SmallFileError) {
            guard let bytes = try readSmallFile(path, maximum: Self.maximumFile) else { return }
            parse(bytes, isConfiguration: isConfiguration, place: shown(shownPath.utf8))
        } catch {
            remarks.append("\(shown(shownPath.utf8)) cannot be read: \(error.reason)")
        }
    }

    /// Reads sections and settings; what is neither is passed over, as the SDKs do.
    mutating func parse(_ bytes: [UInt8], isConfiguration: Bool, place: String) {
        var section: String?
        var servicesSection: String?
        var service: String?
        for line in bytes.split(whereSeparator: { $0 == 0x0a || $0 == 0x0d }) {
            let text = String(decoding: line, as: UTF8.self)
            let content = Self.trimmed(text[...])
            if content.isEmpty || content.hasPrefix("#") || content.hasPrefix(";") { continue }
            if content.hasPrefix("[") {
                section = Self.profileName(content, isConfiguration: isConfiguration)
                servicesSection = isConfiguration ? Self.name(content, of: "services") : nil
                service = nil
                if let section, profiles[section, default: Profile()].places.last != place {
                    profiles[section, default: Profile()].places.append(place)
                }
                continue
            }
            guard let first = line.first, let equals = content.firstIndex(of: "=") else { continue }
            let name = asciiLowercased(String(Self.trimmed(content[..<equals])))
            // Indented lines belong to the setting above; only those of services matter here.
            let isIndented = first == 0x20 || first == 0x09
            if let servicesSection {
                if !isIndented {
                    service = name
                } else if let service {
                    services[servicesSection, default: [:]][service, default: [:]][name] =
                        Self.value(content[content.index(after: equals)...])
                }
            }
            guard let section, !isIndented else { continue }
            profiles[section, default: Profile()].settings[name] = Self.value(content[content.index(after: equals)...])
        }
    }

    /// `[name]`, in the configuration file `[default]` or `[profile name]`; other sections there are no profiles.
    private static func profileName(_ line: Substring, isConfiguration: Bool) -> String? {
        guard let end = line.firstIndex(of: "]") else { return nil }
        let name = trimmed(line[line.index(after: line.startIndex)..<end])
        if isConfiguration, name != "default" { return self.name(line, of: "profile") }
        return unquoted(name)
    }

    /// NAME of a section `[kind NAME]`.
    private static func name(_ line: Substring, of kind: String) -> String? {
        guard let end = line.firstIndex(of: "]") else { return nil }
        let name = trimmed(line[line.index(after: line.startIndex)..<end])
        guard name.hasPrefix(kind), let space = name.firstIndex(where: { $0 == " " || $0 == "\t" }) else { return nil }
        return unquoted(trimmed(name[space...]))
    }

    private static func unquoted(_ name: Substring) -> String? {
        var name = name
        if name.count >= 2, let quote = name.first, quote == name.last, quote == "\"" || quote == "'" {
            name = name.dropFirst().dropLast()
        }
        return name.isEmpty ? nil : String(name)
    }

    /// The value without what follows white space and a comment sign.
    private static func value(_ text: Substring) -> String {
        var end = text.endIndex
        var previous: Character = " "
        for index in text.indices {
            if text[index] == "#" || text[index] == ";", previous == " " || previous == "\t" {
                end = index
                break
            }
            previous = text[index]
        }
        return String(trimmed(text[..<end]))
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while let first = text.first, first == " " || first == "\t" { text = text.dropFirst() }
        while let last = text.last, last == " " || last == "\t" { text = text.dropLast() }
        return text
    }
}
