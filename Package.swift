// swift-tools-version: 6.2
import PackageDescription

/// Settings every Swift target shares; warnings are errors.
let house: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

/// A room: one target, and the rooms below it that it may import.
func room(_ name: String, path: String? = nil, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: path ?? "Sources/\(name)", swiftSettings: house)
}

/// The tests of one room, in Tests/<name>Tests, beside files of theirs that are no Swift.
func tests(_ name: String, _ dependencies: [Target.Dependency], beside files: [String] = []) -> Target {
    .testTarget(
        name: "\(name)Tests", dependencies: dependencies, path: "Tests/\(name)Tests", exclude: files,
        swiftSettings: house)
}

let package = Package(
    name: "sealift",
    products: [.executable(name: "sealift", targets: ["sealift"])],
    targets: [
        // Floor 0: the system's libraries.
        .systemLibrary(name: "CLMDB", path: "Sources/CLMDB", pkgConfig: "lmdb", providers: [.apt(["liblmdb-dev"])]),
        .systemLibrary(
            name: "CSQLite", path: "Sources/CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(
            name: "COpenSSL", path: "Sources/COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CZlib", path: "Sources/CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "CSimdJSON", path: "Sources/CSimdJSON", linkerSettings: [.linkedLibrary("simdjson")]),
        .systemLibrary(
            name: "CCurl", path: "Sources/CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(
            name: "CMicroHTTPD", path: "Sources/CMicroHTTPD", pkgConfig: "libmicrohttpd",
            providers: [.apt(["libmicrohttpd-dev"])]),
        .target(name: "CSystem", path: "Sources/CSystem"),

        // Floor 1: what knows nothing of ours.
        room("Wording"),
        room("Storage"),
        room("Files", ["Storage", "CSystem"]),
        room("HCL", ["Wording"]),
        room("Flags", ["Wording"]),
        room("Telemetry"),
        room("Workers"),
        room("Digest", ["COpenSSL"]),
        room("Sockets", ["COpenSSL"]),
        room("LMDB", ["CLMDB", "CSystem", "Wording", "Workers"]),
        room("RaftCore"),
        room("Zlib", ["CZlib"]),
        room("JSON", ["CSimdJSON"]),
        room("HTTPClient", ["CCurl"]),
        room("HTTPServer", ["CMicroHTTPD"]),

        // Floor 2: formats.
        room("Bolt", ["CSystem", "Wording"]),
        room("RaftFormat", ["Bolt", "Digest", "JSON", "Zlib", "Wording"]),
        room("AWS", ["HTTPClient", "Digest", "JSON", "Zlib"]),
        room("DynamoDBFormat", ["Storage", "JSON", "Wording"]),
        room("Barrier", ["Storage", "Digest", "Telemetry", "Wording", "Zlib"]),
        room("Report", ["Digest", "JSON", "Telemetry", "Wording"]),
        room("VaultAPI", ["HTTPClient", "JSON", "Digest"]),

        // Floor 3: storage backends.
        room("InMemoryBackend", path: "Sources/Backends/InMemory", ["Storage"]),
        room("FileBackend", path: "Sources/Backends/File", ["Storage", "Files", "Workers", "JSON", "CSystem"]),
        room("SQLiteBackend", path: "Sources/Backends/SQLite", ["Storage", "Files", "Workers", "CSQLite", "CSystem"]),
        room(
            "RaftDirectoryBackend", path: "Sources/Backends/RaftDirectory",
            ["Storage", "Files", "Workers", "Bolt", "RaftFormat", "Digest", "JSON", "CSystem", "Wording"]),
        room(
            "DynamoDBBackend", path: "Sources/Backends/DynamoDB",
            ["Storage", "Files", "Workers", "JSON", "Zlib", "Digest", "AWS", "HTTPClient", "DynamoDBFormat", "Wording"]),

        room(
            "RaftSnapshotBackend", path: "Sources/Backends/RaftSnapshot",
            ["Storage", "Files", "Workers", "RaftFormat", "Barrier", "JSON", "CSystem", "Wording"]),
        room(
            "RaftClusterBackend", path: "Sources/Backends/RaftCluster",
            ["Storage", "Files", "Workers", "HTTPClient", "JSON", "Digest", "RaftFormat"]),

        // Floor 4: the migration itself, and what is done to a stopped node.
        room(
            "Migration",
            [
                "Storage", "Files", "HCL", "Workers", "Digest", "Barrier", "Report", "Telemetry", "LMDB", "CSystem",
                "Wording",
            ]),
        room(
            "RaftMaintenance",
            [
                "Storage", "Files", "Bolt", "RaftFormat", "RaftDirectoryBackend", "Digest", "JSON", "Telemetry",
                "CSystem", "Wording",
            ]),
        room(
            "Practice",
            [
                "AWS", "DynamoDBFormat", "Digest", "Storage", "Files", "SQLiteBackend", "HTTPServer", "JSON", "Zlib",
                "Workers", "Telemetry",
                "Wording",
            ]),

        room(
            "Drill",
            [
                "Storage", "Files", "Migration", "RaftDirectoryBackend", "Barrier", "Report", "VaultAPI", "Digest",
                "JSON",
                "Telemetry", "Workers", "CSystem", "Wording",
            ]),

        room(
            "RaftCluster",
            [
                "RaftCore", "RaftFormat", "Storage", "Files", "Workers", "LMDB", "Sockets", "Digest", "Zlib", "JSON",
                "HTTPServer",
                "Telemetry", "Wording", "CSystem",
            ]),

        // Floor 5: the command.
        .executableTarget(
            name: "sealift",
            dependencies: [
                "Storage", "Files", "HCL", "Flags", "Telemetry", "Workers", "Digest", "InMemoryBackend", "FileBackend",
                "SQLiteBackend", "RaftDirectoryBackend", "RaftSnapshotBackend", "DynamoDBBackend", "RaftClusterBackend",
                "RaftCluster", "RaftCore", "RaftFormat", "Bolt", "Sockets", "HTTPClient", "JSON", "Migration",
                "RaftMaintenance", "HTTPServer", "Practice", "Report", "CSystem", "Wording", "Barrier", "Drill",
            ], path: "Sources/sealift", swiftSettings: house),

        // Tests. The Go programs beside them (boltcheck, raftcheck, raftpeer) are built by the tests that run them.
        .target(
            name: "StorageTestKit", dependencies: ["Storage", "Workers", "InMemoryBackend", "TestSupport"],
            path: "Tests/StorageTestKit", swiftSettings: house),
        room("TestSupport", path: "Tests/TestSupport", ["Storage", "Digest", "Zlib"]),
        room(
            "BarrierTestKit", path: "Tests/BarrierTestKit",
            ["Barrier", "Digest", "InMemoryBackend", "Storage", "TestSupport"]),
        room("RaftSimulation", path: "Tests/RaftSimulation", ["RaftCore", "TestSupport"]),
        room("RaftHistory", path: "Tests/RaftHistory"),
        room("LineFileBackend", path: "Tests/LineFileBackend", ["Storage", "Files", "JSON"]),
        room("OpenBaoTestKit", path: "Tests/OpenBaoTestKit", ["HTTPClient", "JSON", "Digest", "TestSupport"]),
        tests("HCL", ["HCL", "TestSupport"]),
        tests("Workers", ["Workers", "TestSupport"]),
        tests("Digest", ["Digest"]),
        tests("LMDB", ["LMDB", "TestSupport"]),
        tests(
            "RaftClusterBackend",
            [
                "sealift", "RaftClusterBackend", "HTTPServer", "Storage", "StorageTestKit", "OpenBaoTestKit",
                "TestSupport",
            ]),
        tests(
            "RaftCluster",
            [
                "RaftCluster", "RaftCore", "RaftFormat", "LMDB", "Sockets", "Storage", "Telemetry", "Workers",
                "StorageTestKit",
                "TestSupport", "Digest",
            ]),
        tests("Zlib", ["Zlib"]),
        tests("JSON", ["JSON", "TestSupport"]),
        tests("HTTPClient", ["HTTPClient", "TestSupport"]),
        tests("VaultAPI", ["VaultAPI", "HTTPServer", "Digest"]),
        tests("AWS", ["AWS", "HTTPClient", "Digest", "JSON", "TestSupport"]),
        tests("RaftFormat", ["RaftFormat", "Bolt", "Digest", "Storage", "TestSupport"]),
        tests("RaftCore", ["RaftCore", "RaftSimulation", "TestSupport"]),
        tests("RaftHistory", ["RaftHistory", "TestSupport"]),
        tests(
            "RaftPeer",
            [
                "sealift", "RaftClusterBackend", "Storage", "StorageTestKit", "OpenBaoTestKit", "Digest", "TestSupport",
            ]),
        tests(
            "RaftProcess",
            [
                "sealift", "RaftClusterBackend", "RaftFormat", "RaftHistory", "Sockets", "Storage", "StorageTestKit",
                "OpenBaoTestKit", "TestSupport",
            ]),
        tests("Flags", ["Flags", "Wording"]),
        tests("Telemetry", ["Telemetry"]),
        tests("Report", ["Report", "Telemetry", "TestSupport"]),
        tests("Bolt", ["Bolt", "TestSupport"]),
        tests("InMemoryBackend", ["InMemoryBackend", "Storage", "StorageTestKit"]),
        tests("FileBackend", ["FileBackend", "Storage", "Digest", "JSON", "StorageTestKit", "TestSupport"]),
        tests("SQLiteBackend", ["SQLiteBackend", "Storage", "StorageTestKit", "TestSupport"]),
        tests(
            "RaftDirectoryBackend",
            [
                "RaftDirectoryBackend", "RaftFormat", "Bolt", "Storage", "Migration", "Digest", "InMemoryBackend",
                "StorageTestKit", "TestSupport", "Telemetry", "Workers",
            ]),
        tests(
            "RaftSnapshotBackend",
            [
                "RaftSnapshotBackend", "RaftFormat", "Storage", "Migration", "InMemoryBackend", "StorageTestKit",
                "TestSupport", "Telemetry", "Workers",
            ]),
        tests(
            "RaftMaintenance",
            ["RaftMaintenance", "RaftDirectoryBackend", "RaftFormat", "Bolt", "Storage", "TestSupport"]),
        tests(
            "DynamoDBBackend",
            [
                "DynamoDBBackend", "Storage", "JSON", "Zlib", "Digest", "Workers", "InMemoryBackend", "Practice",
                "HTTPServer", "Telemetry", "StorageTestKit", "TestSupport",
            ]),
        tests(
            "Barrier",
            ["Barrier", "BarrierTestKit", "Digest", "InMemoryBackend", "Storage", "Telemetry", "TestSupport"]),
        tests("DynamoDBFormat", ["DynamoDBFormat", "JSON", "Storage", "TestSupport"]),
        tests(
            "Migration",
            [
                "Migration", "Barrier", "BarrierTestKit", "Storage", "Files", "InMemoryBackend", "Digest", "Telemetry",
                "Workers", "TestSupport",
            ]),
        tests(
            "LineFileBackend",
            [
                "LineFileBackend", "InMemoryBackend", "Migration", "Storage", "Telemetry", "Workers", "StorageTestKit",
                "TestSupport",
            ]),
        tests("HTTPServer", ["HTTPServer", "TestSupport"]),
        tests(
            "Practice",
            [
                "Practice", "HTTPServer", "JSON", "Zlib", "Storage", "FileBackend", "SQLiteBackend", "Telemetry",
                "Workers",
                "TestSupport",
            ], beside: ["backups.py", "conformance.py", "requests.txt", "signatures.py"]),
        tests("Documentation", ["sealift", "OpenBaoTestKit"]),
        tests(
            "Command",
            [
                "sealift", "Barrier", "BarrierTestKit", "FileBackend", "OpenBaoTestKit", "Storage", "StorageTestKit",
                "TestSupport",
            ]),
        tests(
            "Journey",
            [
                "sealift", "Barrier", "BarrierTestKit", "FileBackend", "OpenBaoTestKit", "HTTPClient", "Storage",
                "TestSupport",
            ]),
    ],
    cxxLanguageStandard: .cxx17
)

// What scripts/benchmark runs beside the program itself.
if Context.environment["SEALIFT_BENCHMARKS"] != nil {
    package.targets.append(
        .executableTarget(
            name: "PageBenchmark", dependencies: ["DynamoDBBackend", "JSON", "Migration", "Storage", "Zlib"],
            path: "Tests/Benchmarks/PageBenchmark", swiftSettings: house))
    package.targets.append(
        .executableTarget(
            name: "RaftBenchmark",
            dependencies: ["HTTPClient", "RaftClusterBackend", "RaftFormat", "Storage", "Workers"],
            path: "Tests/Benchmarks/RaftBenchmark", swiftSettings: house))
    package.targets.append(
        .executableTarget(
            name: "ProveBenchmark", dependencies: ["Barrier", "Digest", "FileBackend", "InMemoryBackend", "Storage"],
            path: "Tests/Benchmarks/ProveBenchmark", swiftSettings: house))
}
