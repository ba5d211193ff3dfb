import Synchronization

/// How many page visits one scan may still make. Every page has one parent, so a scan that needs more visits than the
/// file has pages runs in a circle or through shared pages. Shared by all threads of the scan.
final class ScanBudget: Sendable {
    private let left: Atomic<Int>

    init(_ file: PageFile) {
        left = Atomic(Int(clamping: file.highWaterMark))
    }

    func spend(_ page: Page, _ file: PageFile) throws(BoltError) {
        let pages = page.extent / file.pageSize
        guard left.wrappingSubtract(pages, ordering: .relaxed).newValue >= 0 else {
            throw file.damaged(
                page.id, "is reached after more page visits than the file has pages: pages are shared or form a circle")
        }
    }
}

/// The keys a subtree may hold: low <= key < high. Nil where there is no limit.
struct Window {
    var low: Bytes?
    var high: Bytes?
}

/// What one thread touched since it last told the file.
struct TouchMeter {
    private var bytes = 0
    private var low = Int.max
    private var high = 0
    private var lastEnd = -1

    /// A jump costs more than the page: the kernel maps what lies around it in the page cache.
    private static let jumpCost = 64 << 10
    private static let reportEvery = 256 << 10

    @inline(__always)
    mutating func touch(_ page: Page, _ file: PageFile) {
        let start = page.base - file.image.base
        bytes += start == lastEnd ? page.extent : max(page.extent, TouchMeter.jumpCost)
        lastEnd = start + page.extent
        low = min(low, start)
        high = max(high, lastEnd)
        if bytes >= TouchMeter.reportEvery { report(file) }
    }

    mutating func report(_ file: PageFile) {
        file.image.addTouched(bytes: bytes, low: low, high: high)
        (bytes, low, high) = (0, Int.max, 0)
    }
}

extension PageFile {
    /// Checks that the keys of a whole page ascend and lie in the window.
    func checkOrder(_ page: Page, _ window: Window) throws(BoltError) {
        guard page.count > 0 else { return }
        var last = try key(page, 0)
        if let low = window.low, order(last, low) < 0 { throw orderDamage(page, 0, last, "below its branch key") }
        for index in 1..<max(1, page.count) {
            let next = try key(page, index)
            guard order(last, next) < 0 else { throw orderDamage(page, index, next, "not above the key before it") }
            last = next
        }
        if let high = window.high, order(last, high) >= 0 {
            throw orderDamage(page, page.count - 1, last, "not below the next branch key")
        }
    }

    /// The window of child `index` of a branch page.
    func window(_ page: Page, _ index: Int, within outer: Window) throws(BoltError) -> Window {
        let isLast = index + 1 >= page.count
        return Window(
            low: try branchElement(page, index).key, high: isLast ? outer.high : try branchElement(page, index + 1).key)
    }

    /// Index of the first element with a key >= `bound`. Any answer is possible if the keys are not in order.
    func lowerBound(_ page: Page, _ bound: Bytes) throws(BoltError) -> Int {
        var (low, high) = (0, page.count)
        while low < high {
            let middle = (low + high) / 2
            if order(try key(page, middle), bound) < 0 { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The child below which `bound` belongs: the last one whose key is <= `bound`, or the first.
    func childIndex(_ page: Page, _ bound: Bytes?) throws(BoltError) -> Int {
        guard let bound else { return 0 }
        let index = try lowerBound(page, bound)
        let isExact = index < page.count ? order(try key(page, index), bound) == 0 : false
        return isExact ? index : max(0, index - 1)
    }
}
