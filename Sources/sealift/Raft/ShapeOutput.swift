import Bolt
import Telemetry

/// How a bbolt file's pages are used, for programs.
func shapeMembers(_ shape: BoltShape) -> [(String, JSONText)] {
    [
        ("page_size", .integer(shape.pageSize)), ("pages", .integer(shape.pages)),
        ("free_pages", .integer(shape.freePages)), ("overflow_pages", .integer(shape.overflowPages)),
        ("branch_pages", .integer(shape.branchPages)), ("leaf_pages", .integer(shape.leafPages)),
        ("depth", .integer(shape.depth)), ("content_bytes", .integer(shape.contentBytes)),
        ("given_back_bytes", .integer(shape.givenBackBytes)),
    ]
}
