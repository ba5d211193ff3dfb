import CSystem
import Glibc
import Storage
import Telemetry

/// Gives the standard streams that were closed by whoever started the process a descriptor that fails like a closed one,
/// so that no store is opened under their numbers and then gets the output.
func occupyStandardStreams() {
    for stream in Int32(0)...2 where fcntl(stream, F_GETFD) < 0 && errno == EBADF {
        // The lowest free number is the stream's, as those below are open. Writing to what is open for reading only is
        // EBADF, and the other way round.
        _ = open("/dev/null", stream == 0 ? O_WRONLY : O_RDONLY)
    }
}

/// Lets a write fail with an error where the system would end the process instead: a reader that went away (SIGPIPE), a
/// file that may grow no further (SIGXFSZ, `ulimit -f`).
func ignoreSignalsOfWrites() {
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
}

/// Makes do with little address space, where that is limited.
///
/// - Returns: Why it is too little; `nil` if it may do. Beyond it an allocation that fails ends the process, and would
///   leave a migration's markers behind.
func fitIntoAddressSpace() -> String? {
    guard let limit = AddressSpace.limit else { return nil }
    cs_share_one_heap()
    guard limit < AddressSpace.least else { return nil }
    return "Error: this process may have \(formatBytes(limit)) of memory (ulimit -v, ulimit -d), and needs "
        + "\(formatBytes(AddressSpace.least)) at least, with a Raft store the size of its file on top. Raise the limit."
}

/// The arguments behind the program's name, as the system gave them: bytes.
func processArguments() -> [[UInt8]] {
    (1..<max(CommandLine.argc, 1)).compactMap { index in
        CommandLine.unsafeArgv[Int(index)].map { text in
            Array(UnsafeRawBufferPointer(start: text, count: strlen(text)))
        }
    }
}

/// The environment, values as bytes.
func processEnvironment() -> [String: [UInt8]] {
    var variables: [String: [UInt8]] = [:]
    var next = environ
    while let entry = next.pointee {
        let bytes = UnsafeRawBufferPointer(start: entry, count: strlen(entry))
        if let equals = bytes.firstIndex(of: UInt8(ascii: "=")) {
            let name = String(decoding: UnsafeRawBufferPointer(rebasing: bytes[..<equals]), as: UTF8.self)
            variables[name] = Array(bytes[(equals + 1)...])
        }
        next += 1
    }
    return variables
}
