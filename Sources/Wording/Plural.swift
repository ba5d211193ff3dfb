/// The noun that goes with a count: `1 entry`, `2 entries`, `0 entries`.
///
/// - Parameter many: What more than one is called; by default the noun and an `s`.
package func plural(_ count: some BinaryInteger, _ one: String, _ many: String? = nil) -> String {
    count == 1 ? one : many ?? one + "s"
}
