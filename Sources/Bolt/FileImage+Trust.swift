import CSystem
import Glibc

extension FileImage {
    /// Runs a piece of reading; what it returns, or says of the file, counts only if the file was whole all the time.
    ///
    /// - Throws: `.truncated` or `.io` in place of anything `body` throws, if the file was cut or written to or could not
    ///   be read.
    func trusting<R>(_ body: () throws -> R) throws -> R {
        let result = Result { try body() }
        try requireIntact()
        return try result.get()
    }

    /// The same for a body that throws nothing else.
    func trustingFile<R>(_ body: () throws(BoltError) -> R) throws(BoltError) -> R {
        let result = Result { () throws(BoltError) in try body() }
        try requireIntact()
        return try result.get()
    }

    /// - Throws: `.truncated`, `.io`.
    private func requireIntact() throws(BoltError) {
        let fault = cs_guard_fault(guardSlot)
        let now = currentStatus()
        // A cut shows as a fault only from the next page on: the rest of the last one reads as zeros.
        if let now, now.st_size < size {
            throw BoltError(
                .truncated, path,
                "the file was cut to \(now.st_size) of its \(size) bytes while it was read. Whatever did that must stop:"
                    + " use an intact copy or a snapshot.")
        }
        guard fault < 0 else {
            throw BoltError(
                .io, path,
                "the file cannot be read at byte \(fault): it was cut while it was read, or the disk failed. Look into"
                    + " the system's log (dmesg), and use an intact copy or a snapshot.")
        }
        guard let now, let before = lastWrite else { return }
        guard now.st_mtim.tv_sec == before.tv_sec, now.st_mtim.tv_nsec == before.tv_nsec else {
            throw BoltError(
                .io, path, "the file was written to while it was read. Stop whatever writes to it, and run again.")
        }
    }
}
