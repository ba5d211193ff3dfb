import Files
package import Storage

extension LineFileBackend {
    private static let pathOption = BackendOption("path", .path, "The file.")

    /// How `linefile` is configured and opened.
    package static func driver() -> BackendDriver {
        BackendDriver(
            kind: "linefile", summary: "A text file with a line per entry.", options: [pathOption],
            openSource: { settings, _ throws(StorageError) in
                try LineFileBackend(path: settings.path(pathOption), mustExist: true)
            },
            openDestination: { settings, _ throws(StorageError) in
                try LineFileBackend(path: settings.path(pathOption), mustExist: false)
            })
    }
}
