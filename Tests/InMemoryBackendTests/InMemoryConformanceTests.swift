import InMemoryBackend
import Storage
import StorageTestKit
import Testing

@Suite struct InMemoryConformanceTests {
    @Test(arguments: Promise.all)
    func keeps(_ promise: Promise) throws {
        try promise.check(InMemoryHarness(maximumValueBytes: nil))
    }

    @Test func refusesValuesAboveItsLimit() throws {
        for promise in Promise.all where promise.name == "rulesObjectToWhatPutRefuses" {
            try promise.check(InMemoryHarness(maximumValueBytes: 1000))
        }
    }

    @Test(arguments: [("0", true), ("1000", true), ("-1", false), ("ten", false)])
    func readsItsLimitFromTheSettings(_ text: String, isValid: Bool) throws {
        let settings = BackendSettings(
            block: "storage_source", settings: [BackendSetting(name: "max_value_size", value: text)])
        let driver = InMemoryBackend.driver()
        if isValid {
            let store = try driver.open(settings, .destination(DestinationContext()))
            #expect(store.rules.largestValue == (text == "0" ? nil : 1000))
        } else {
            #expect { try driver.open(settings, .source(writesMarker: false)) } throws: {
                ($0 as? StorageError)?.code == .configuration
            }
        }
    }
}

private final class InMemoryHarness: StorageHarness {
    let name = "inmem"
    let differences: [Difference: String] = [.forgetsOnClose: "the store is this process's memory"]
    private let maximumValueBytes: Int?

    init(maximumValueBytes: Int?) {
        self.maximumValueBytes = maximumValueBytes
    }

    func makeEmpty() throws -> any FullStore { InMemoryBackend(maximumValueBytes: maximumValueBytes) }

    func reopen(_ store: any FullStore) throws -> any FullStore { store }
}
