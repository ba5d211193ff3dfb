import Glibc

/// A file that should be small cannot be read.
struct SmallFileError: Error {
    let reason: String
}

/// The bytes of a small file.
///
/// - Returns: `nil` if there is no such file.
func readSmallFile(_ path: String, maximum: Int) throws(SmallFileError) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
        if errno == ENOENT || errno == ENOTDIR { return nil }
        throw SmallFileError(reason: String(cString: strerror(errno)))
    }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: maximum + 1)
    var count = 0
    while count < bytes.count {
        let room = bytes.count - count
        let start = count
        let got = bytes.withUnsafeMutableBytes { read(descriptor, $0.baseAddress?.advanced(by: start), room) }
        if got < 0, errno == EINTR { continue }
        guard got >= 0 else { throw SmallFileError(reason: String(cString: strerror(errno))) }
        if got == 0 { break }
        count += got
    }
    guard count <= maximum else { throw SmallFileError(reason: "it is larger than \(maximum) bytes") }
    return Array(bytes.prefix(count))
}
