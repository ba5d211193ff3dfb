import Glibc
package import Storage

extension FileBackend {
    /// The marker is a file in the folder `core`, or makes that folder first.
    package func markerFindings() throws(StorageError) -> [StoreFinding] {
        let core = "\(location)/core"
        let folder = access(core, F_OK) == 0 ? core : location
        guard access(folder, W_OK | X_OK) != 0 else { return [] }
        let problem = StorageError.system("write to", folder, errno: errno).message
        return [
            StoreFinding(
                .obstacle(.io),
                "the migration marker cannot be set on the source: \(problem) If it may only be read, stop every server on "
                    + "it and add -read-only-source.")
        ]
    }
}
