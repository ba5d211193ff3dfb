import Bolt
import RaftDirectoryBackend
import Storage
import Telemetry
import Workers

/// How the files of those sides of a comparison that are integrated storage use their pages.
struct CheckedFiles {
    private var files: [(side: String, file: NodeFileShape)] = []

    /// Measures them; what cannot be measured is told, and is no failure of the comparison.
    init(
        _ sides: [(name: String, store: any StorageSource)], _ console: Console, _ cancellation: CancellationToken
    ) throws(StorageError) {
        for (name, store) in sides {
            guard let node = store as? RaftDirectoryBackend else { continue }
            do throws(StorageError) {
                files += try node.fileShapes(isCancelled: { cancellation.isCancelled }).map { (name, $0) }
            } catch {
                if error.code == .cancelled { throw error }
                console.printError("The pages of the \(name) could not be measured: \(error.message)")
            }
        }
    }

    /// Lines behind the result for a person, each with a line feed before it.
    var text: String {
        files.map { side, file in
            let shape = file.shape
            return "\n  \(side) \(file.name): \(formatBytes(shape.fileBytes)), "
                + "\(counted(shape.freePages, "free page")), \(counted(shape.overflowPages, "overflow page")), "
                + "\(counted(shape.depth, "level")); a compaction gives \(formatBytes(shape.givenBackBytes)) back"
        }.joined()
    }

    var json: JSONText {
        .array(files.map { side, file in .object([("side", .string(side))] + file.members) })
    }
}
