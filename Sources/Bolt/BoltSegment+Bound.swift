extension BoltSegment {
    /// The first key behind the segment, nil at the end of the bucket: with it a visit that was stopped can go on
    /// through `BoltBucket.visit(from:to:_:)`.
    package var upperBound: [UInt8]? {
        let high = window.high.map { [UInt8]($0.bytes(file).buffer) }
        guard let high else { return upper }
        guard let upper else { return high }
        return high.lexicographicallyPrecedes(upper) ? high : upper
    }
}
