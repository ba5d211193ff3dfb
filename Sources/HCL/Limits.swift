/// Bounds on what a configuration may hold, far beyond any real one, so that no file can exhaust the stack or the time.
enum Limits {
    /// Levels of nesting; every list, object and label after the first key counts as one (in JSON, every key).
    static let depth = 64
    /// Values handled while the settings of one block are made into strings.
    static let decodedValues = 1_000_000
}
