import DynamoDBFormat
import Storage

/// Watches that the pages of a scan or query come to an end: a service that leads back to a place it was at before would be
/// followed for ever.
///
/// One place is remembered at a time, the next one after twice as many pages as the last: a circle of any length is
/// noticed (R. P. Brent, "An improved Monte Carlo factorization algorithm", 1980).
struct PageProgress {
    private let location: String
    private var remembered: ItemKey?
    private var pages = 0
    private var pagesToNext = 1

    /// - Parameter location: Names the table in errors.
    init(_ location: String) {
        self.location = location
    }

    /// Takes note of where the next page begins.
    ///
    /// - Throws: `.io` if the pages have been there before.
    mutating func check(_ next: ItemKey?) throws(StorageError) {
        guard let next else { return }
        guard next != remembered else {
            throw StorageError(
                .io,
                "\(location): the pages lead in a circle: LastEvaluatedKey (Path \(StorageKey(next.path)), Key "
                    + "\(StorageKey(next.name))) came before. Is the endpoint a DynamoDB service?")
        }
        pages += 1
        guard pages == pagesToNext else { return }
        remembered = next
        pages = 0
        pagesToNext *= 2
    }
}
