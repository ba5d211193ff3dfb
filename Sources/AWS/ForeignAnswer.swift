import HTTPClient

/// What is said of an answer that no service of AWS gives: a redirection, or a page for browsers. Proxies and gateways
/// answer so in the place of a service.
struct ForeignAnswer {
    /// What came, and what may be the cause; without a full stop.
    let message: String

    /// - Returns: `nil` for an answer that may be the service's own.
    init?(_ response: HTTPResponse, to request: HTTPRequest) {
        let isRedirection = (300..<400).contains(response.status)
        let type = response.headers["Content-Type"].map { shown($0.utf8.prefix(60)) } ?? ""
        let isPage = type.lowercased().contains("html") || response.withBody(Self.beginsAsMarkup)
        guard isRedirection || isPage, response.headers["x-amzn-RequestId"] == nil else { return nil }
        var text = isRedirection ? "the answer is a redirection" : "the answer is a page for browsers"
        text += " (HTTP status \(response.status)"
        if isRedirection, let place = response.headers["Location"] {
            text += " to \(shown(HTTPRequest(method: "GET", url: place).shownURL.utf8))"
        } else if !type.isEmpty {
            text += ", \(type)"
        }
        text += "), as no service of AWS gives one. "
        if let proxy = request.proxy {
            text +=
                "A proxy seems to answer in its place, \(proxy) names one: correct that variable, or name the host "
                + "of \(request.shownURL) in no_proxy, or have the proxy let these requests through"
        } else {
            text +=
                "A gateway of the network, or another server at \(request.shownURL), seems to answer in its place: "
                + "correct the endpoint, or have the gateway let these requests through"
        }
        message = text
    }

    /// STS answers in XML, which begins with its root element or a declaration.
    private static func beginsAsMarkup(_ body: UnsafeRawBufferPointer) -> Bool {
        let start = body.drop { $0 <= 0x20 }.prefix(9).map { $0 | 0x20 }
        return start.starts(with: "<html".utf8) || start.elementsEqual("<!doctype".utf8.map { $0 | 0x20 })
    }
}
