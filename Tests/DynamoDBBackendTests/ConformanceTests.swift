import StorageTestKit
import TestSupport
import Testing

@Suite struct DynamoDBConformanceTests {
    @Test(arguments: Promise.all)
    func keepsOnThePracticeTable(_ promise: Promise) throws {
        try promise.check(
            DynamoDBHarness(
                "practice", endpoint: PracticeService.shared.get().endpoint,
                manyEntries: Effort.isThorough ? 100_000 : 25_000))
    }

    /// moto sorts the whole table anew for every page of a scan: these promises take minutes there and find little
    /// that the practice table does not, so that only a thorough run asks for them.
    static let onMoto = Promise.all.filter { promise in
        Effort.isThorough
            || ![
                "threadsListAWideRootSideBySide", "aHundredThousandEntriesComeBack", "partitionsCanBeScannedSideBySide",
                "threadsReadAndWriteSideBySide", "partitionsHoldEveryEntryOnce", "scanGoesOnBehindAnyCursor",
                "recycledBatchesCarryNothingOver", "scanEndsWhenNoMoreIsWanted", "anyKeyMayBoundAPartition",
                "cancelledScanThrowsCancelled", "scanThrowsWhatItsReceiverThrows",
            ].contains(promise.name)
    }

    @Test(arguments: onMoto)
    func keepsOnMoto(_ promise: Promise) throws {
        try promise.check(DynamoDBHarness("moto", endpoint: PythonServer.moto.get().url, manyEntries: 5000))
    }
}
