/// What a store's service counts: requests and capacity units, before and after.
package protocol ServiceMeter: Sendable {
    /// What was asked of the service so far.
    func activity() -> StoreActivity
    /// What reading the whole store would ask of its service; `nil` if there is nothing to read yet.
    func readPlan() throws(StorageError) -> ServicePlan?
    /// Adds up what writing would ask of the store's service.
    func writeEstimator() throws(StorageError) -> any WriteEstimator
}

/// What was asked of a service, and what became of it.
package struct StoreActivity: Sendable, Equatable {
    /// Requests that were answered, by action.
    package var requests: [String: Int] = [:]
    /// Requests that were made again, for whatever reason.
    package var retries = 0
    /// Of them, those that the service refused for their rate.
    package var throttles = 0
    /// Capacity units that the service says were used.
    package var readUnits = 0.0
    package var writeUnits = 0.0
    /// Seconds that requests were held back to keep to a rate, all threads together.
    package var secondsHeldBack = 0.0

    package init() {}
}
