/// What a migration would ask of a service that counts requests and units, with the arithmetic.
package struct ServicePlan: Sendable, Equatable {
    /// A line of the arithmetic.
    package struct Line: Sendable, Equatable {
        package let name: String
        package let text: String

        package init(_ name: String, _ text: String) {
            self.name = name
            self.text = text
        }
    }

    package var lines: [Line]
    /// Capacity units.
    package var units: Int
    /// Requests.
    package var requests: Int
    /// Units a second that the plan reckons with.
    package var unitsPerSecond: Double
    /// Seconds at that rate.
    package var seconds: Double { Double(units) / unitsPerSecond }

    package init(lines: [Line], units: Int, requests: Int, unitsPerSecond: Double) {
        self.lines = lines
        self.units = units
        self.requests = requests
        self.unitsPerSecond = unitsPerSecond
    }
}

/// Adds up what writing entries would ask of a service.
package protocol WriteEstimator: AnyObject {
    /// Counts entries exactly; batches come in key order.
    func add(_ batch: EntryBatch)
    /// Counts entries of which only number and bytes of keys and values are known.
    func add(entries: Int, bytes: Int)
    /// What it comes to.
    func plan() -> ServicePlan
}
