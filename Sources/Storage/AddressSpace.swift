import Glibc

/// How much memory the system lets this process have (`ulimit -v`, `ulimit -d`).
package enum AddressSpace {
    /// The lower of the two limits in bytes; `nil` if there is none.
    package static let limit: Int? = [RLIMIT_AS, RLIMIT_DATA].compactMap { resource in
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0 else { return nil }
        // What is beyond any machine is none; RLIM_INFINITY is such a number.
        return limit.rlim_cur < 1 << 46 ? Int(limit.rlim_cur) : nil
    }.min()

    /// The least a run can do with: the program itself, its buffers, and a thread of each kind.
    package static let least = 160 << 20

    /// How many threads of about 16 MiB there is room for, `most` at most.
    static func threads(most: Int) -> Int {
        guard let limit else { return most }
        return min(most, max(1, (limit - 96 << 20) / (16 << 20)))
    }
}
