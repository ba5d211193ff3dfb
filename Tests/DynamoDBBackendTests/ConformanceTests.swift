import StorageTestKit
import TestSupport
import Testing

@Suite struct DynamoDBConformanceTests {
    /// moto sorts the whole table anew for every page of a scan.
    @Test(arguments: Promise.all)
    func keepsOnMoto(_ promise: Promise) throws {
        try promise.check(DynamoDBHarness("moto", endpoint: PythonServer.moto.get().url, manyEntries: 5000))
    }
}
