package import Glibc

extension StorageError {
    /// The error of a failed system call on a path.
    ///
    /// - Parameters:
    ///   - action: What was attempted, as a verb: `open`, `mkdir`, …
    ///   - number: The call's `errno`.
    package static func system(
        _ action: String, _ path: String, errno number: Int32, key: StorageKey? = nil
    ) -> StorageError {
        let reason = systemMessage(number)
        switch number {
        case ENOENT where !path.hasPrefix("/") && !hasWorkingDirectory():
            return StorageError(
                .io, "\(action) \(path): \(reason): the working directory was removed. Name the path from / on.",
                key: key)
        case EFBIG:
            return StorageError(
                .noSpace,
                "\(action) \(path): \(reason). Raise the limit on the size of files (ulimit -f), or name a place on a file "
                    + "system that takes larger ones.", key: key)
        case ENOSPC, EDQUOT:
            return StorageError(.noSpace, "\(action) \(path): \(reason). Make room and run again.", key: key)
        case EROFS:
            return StorageError(
                .io, "\(action) \(path): \(reason). Mount it for writing, or name a path elsewhere.", key: key)
        case EACCES, EPERM:
            return StorageError(
                .io, "\(action) \(path): \(reason). Run as a user who may, or change the owner or mode.", key: key)
        case EMFILE, ENFILE:
            return StorageError(
                .io, "\(action) \(path): \(reason). Raise the limit of open files (ulimit -n).", key: key)
        default:
            return StorageError(.io, "\(action) \(path): \(reason)", key: key)
        }
    }
}

private func hasWorkingDirectory() -> Bool {
    guard let path = getcwd(nil, 0) else { return false }
    free(path)
    return true
}

/// Bytes that a file system still gives to this user; as much as a number can say where its figures are larger.
package func freeBytes(_ info: statvfs) -> Int {
    let (bytes, isTooLarge) = UInt(info.f_bavail).multipliedReportingOverflow(by: UInt(info.f_frsize))
    return isTooLarge ? Int.max : Int(clamping: bytes)
}

/// The text of a system error number as Go prints it: lower case.
package func systemMessage(_ number: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard strerror_r(number, &buffer, buffer.count) == 0 else { return "error \(number)" }
    let text = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return text.prefix(1).lowercased() + text.dropFirst()
}
