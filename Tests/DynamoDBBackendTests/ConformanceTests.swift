import StorageTestKit
import TestSupport
import Testing

@Suite struct DynamoDBConformanceTests {
    @Test(arguments: Promise.all)
    func keepsOnThePracticeTable(_ promise: Promise) throws {
        try promise.check(
            DynamoDBHarness("practice", endpoint: PracticeService.shared.get().endpoint, manyEntries: 100_000))
    }

    /// moto sorts the whole table anew for every page of a scan.
    @Test(arguments: Promise.all)
    func keepsOnMoto(_ promise: Promise) throws {
        try promise.check(DynamoDBHarness("moto", endpoint: PythonServer.moto.get().url, manyEntries: 5000))
    }
}
