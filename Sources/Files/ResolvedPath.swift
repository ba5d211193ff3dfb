import Glibc
package import Storage

/// The absolute path with links resolved as far as it exists, without `.`, `//` and slashes at the end.
///
/// What does not exist yet is taken as it is written, so that a path has one form before and after it is made. A link
/// that leads nowhere keeps its name.
package func resolvedPath(_ path: String) -> String {
    var missing: [Substring] = []
    var rest = path[...]
    while true {
        if let base = realPath(rest.isEmpty ? "." : String(rest)) {
            let below = missing.reversed().filter { !$0.isEmpty && $0 != "." }
            return below.isEmpty ? base : (base == "/" ? "" : base) + "/" + below.joined(separator: "/")
        }
        // A removed working directory has no path.
        if rest.isEmpty { return path }
        guard let slash = rest.lastIndex(of: "/") else {
            missing.append(rest)
            rest = ""
            continue
        }
        missing.append(rest[rest.index(after: slash)...])
        rest = slash == rest.startIndex ? "/" : rest[..<slash]
    }
}

private func realPath(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
}

/// The path of the folder that holds `path`, which is in the form of ``resolvedPath(_:)``.
package func parentFolder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
}

/// The link on the way to a path that leads nowhere, so that the path can neither be opened nor made; `nil` if there is
/// none.
package func danglingLink(on path: String) -> String? {
    var path = path
    while true {
        var info = stat()
        if stat(path, &info) == 0 { return nil }
        if errno == ENOENT, lstat(path, &info) == 0 { return path }
        guard path.contains("/"), path != "/" else { return nil }
        path = parentFolder(of: path)
    }
}

/// Whether one path lies within the other or is the same; both in the form of ``resolvedPath(_:)``.
package func liesWithin(_ inner: String, _ outer: String) -> Bool {
    inner == outer || inner.utf8.starts(with: (outer == "/" ? outer : "\(outer)/").utf8)
}

extension StoreFinding {
    /// The obstacle of a destination behind a link that leads nowhere; `nil` if there is no such link on the way.
    package static func danglingLink(on path: String) -> StoreFinding? {
        guard let link = Files.danglingLink(on: path) else { return nil }
        return StoreFinding(
            .obstacle(.io), "\(link) is a link that leads nowhere. Make what it names, or remove the link.")
    }
}

extension BackendSettings {
    /// A path, brought to the one form that every spelling of it has (``resolvedPath(_:)``).
    ///
    /// - Throws: `.configuration` if it is not set or no path; `.io` for a relative path where there is no working
    ///   directory any more.
    package func path(_ option: BackendOption) throws(StorageError) -> String {
        guard let path = text(option), !path.isEmpty else {
            throw StorageError(.configuration, "'\(option.name)' must be set", place: place)
        }
        guard !path.utf8.contains(0) else {
            throw StorageError(
                .configuration, "'\(option.name)' holds a zero byte: no path does.", place: place(of: option))
        }
        let resolved = resolvedPath(path)
        guard resolved.hasPrefix("/") else {
            throw StorageError(
                .io,
                "\(path): the working directory was removed, so that a relative path leads nowhere. Give an absolute "
                    + "path, or change to a folder that exists.")
        }
        return resolved
    }
}
