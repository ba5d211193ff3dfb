import Glibc

/// The path with links resolved as far as it exists.
package func resolvedPath(_ path: String) -> String {
    var missing: [Substring] = []
    var rest = path[...]
    while true {
        if let resolved = realpath(rest.isEmpty ? "." : String(rest), nil) {
            defer { free(resolved) }
            let base = String(cString: resolved)
            return missing.isEmpty ? base : (base == "/" ? "" : base) + "/" + missing.reversed().joined(separator: "/")
        }
        guard let slash = rest.lastIndex(of: "/") else {
            missing.append(rest)
            rest = ""
            continue
        }
        missing.append(rest[rest.index(after: slash)...])
        rest = slash == rest.startIndex ? "/" : rest[..<slash]
    }
}
