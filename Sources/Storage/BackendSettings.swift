/// Where a setting stands: byte offsets into the configuration file.
package struct SettingPlace: Hashable, Sendable {
    package let lower: Int
    package let upper: Int
    /// 1-based.
    package let line: Int
    /// 1-based, counted in characters.
    package let column: Int

    package init(lower: Int, upper: Int, line: Int, column: Int) {
        self.lower = lower
        self.upper = upper
        self.line = line
        self.column = column
    }
}

/// One option of a storage block, its value already a string as every backend takes it.
package struct BackendSetting: Sendable {
    package let name: String
    package let value: String
    package let namePlace: SettingPlace?
    package let valuePlace: SettingPlace?

    package init(name: String, value: String, namePlace: SettingPlace? = nil, valuePlace: SettingPlace? = nil) {
        self.name = name
        self.value = value
        self.namePlace = namePlace
        self.valuePlace = valuePlace
    }
}

/// The options of one storage block and the environment that may override them.
package struct BackendSettings: Sendable {
    /// The block's name: `storage_source`, `storage_destination` or `storage`.
    package let block: String
    /// Where the block stands.
    package let place: SettingPlace?
    package let settings: [BackendSetting]
    package let environment: [String: String]
    /// Asked by whatever waits; `true` ends the waiting with ``StorageError/cancelled``.
    package var isCancelled: @Sendable () -> Bool = { false }

    package init(
        block: String, place: SettingPlace? = nil, settings: [BackendSetting], environment: [String: String] = [:]
    ) {
        self.block = block
        self.place = place
        self.settings = settings
        self.environment = environment
    }
}
