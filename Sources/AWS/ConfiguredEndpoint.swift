/// An address of a service that the environment or a profile names, in the SDKs' order (AWS SDKs and Tools Reference Guide,
/// "Service-specific endpoints"): `AWS_ENDPOINT_URL_<SERVICE>`, `AWS_ENDPOINT_URL`, the service's part of the `services`
/// section that the profile names, the profile's `endpoint_url`.
package struct ConfiguredEndpoint: Sendable, Equatable {
    /// As written.
    package let text: String
    /// What names it, for messages.
    package let source: String

    private static let ignoring = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"

    /// - Parameters:
    ///   - service: The service's identifier, such as `dynamodb`.
    ///   - environment: `HOME` among it.
    /// - Returns: `nil` if nothing names one, or all such addresses are to be ignored.
    package init?(service: StaticString, environment: [String: String]) {
        self.init(service: service, environment: environment, SharedConfiguration(environment: environment))
    }

    init?(service: StaticString, environment: [String: String], _ configuration: SharedConfiguration) {
        let name = environment.profileName
        let profile = configuration.profiles[name]
        // The variable counts where both are set.
        let ignores = environment.nonEmpty(Self.ignoring) ?? profile?["ignore_configured_endpoint_urls"] ?? "false"
        guard asciiLowercased(ignores) != "true" else { return nil }
        let variable = "AWS_ENDPOINT_URL_" + String("\(service)".uppercased().map { $0 == "-" ? "_" : $0 })
        for variable in [variable, "AWS_ENDPOINT_URL"] {
            guard let text = environment.nonEmpty(variable) else { continue }
            self.init(text: text, source: variable)
            return
        }
        if let section = profile?["services"],
            let text = configuration.services[section]?["\(service)"]?["endpoint_url"], !text.isEmpty
        {
            self.init(
                text: text,
                source: "endpoint_url of \(service) in section [services \(shown(section.utf8))] of the profile")
        } else if let text = profile?["endpoint_url"] {
            self.init(text: text, source: "endpoint_url of profile \"\(shown(name.utf8))\"")
        } else {
            return nil
        }
    }

    private init(text: String, source: String) {
        self.text = text
        self.source = source
    }

    /// The address as far as it may be shown.
    package var shownText: String { shownAddress(text) }
}

/// What is no address of a service, as far as it may be shown: nothing of a text in which a password or a token may stand.
///
/// Where those begin and end cannot be told of a text that is no URL: a password may have any of these characters in it.
package func shownAddress(_ text: String) -> String {
    text.utf8.contains { "@?#".utf8.contains($0) } ? "***" : shown(text.utf8)
}

extension [String: String] {
    /// The value of a variable that is set and not empty.
    func nonEmpty(_ name: String) -> String? { self[name].flatMap { $0.isEmpty ? nil : $0 } }

    /// The profile whose settings count.
    var profileName: String { nonEmpty("AWS_PROFILE") ?? "default" }
}
