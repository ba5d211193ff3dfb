extension TableStore {
    /// Makes an empty table.
    ///
    /// - Throws: The service's error if there is one of that name.
    func createTable(
        _ name: String, partitionKey: TableDefinition.KeyAttribute, sortKey: TableDefinition.KeyAttribute?,
        billing: TableDefinition.Billing, at time: Int
    ) throws(ServiceError) -> Table {
        try changeTables { session, tables throws(ServiceError) in
            guard tables[name] == nil else { throw .resourceInUse("Table already exists: \(name)") }
            return try Self.addTable(
                name, partitionKey: partitionKey, sortKey: sortKey, billing: billing, at: time, session, &tables)
        }
    }

    /// Makes an empty table under a name that is free.
    static func addTable(
        _ name: String, partitionKey: TableDefinition.KeyAttribute, sortKey: TableDefinition.KeyAttribute?,
        billing: TableDefinition.Billing, at time: Int, _ session: StoreSession, _ tables: inout [String: Table]
    ) throws(ServiceError) -> Table {
        var units = (read: 0, write: 0)
        if case .provisioned(let read, let write) = billing { units = (read, write) }
        // Not counted: it tells this table from every other one, of other databases too.
        let number = Int.random(in: 1..<TableDefinition.maximumNumber)
        try session.run(
            """
            INSERT INTO practice_tables (name, partition_name, partition_type, sort_name, sort_type, read_units,
                write_units, created, number, items, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, 0)
            """,
            texts: [
                name, partitionKey.name, partitionKey.type.rawValue, sortKey?.name ?? "",
                sortKey?.type.rawValue ?? "",
            ], numbers: [units.read, units.write, time, number])
        // Rows lie in the order they come and only the index is in key order: writes to random places cost least so.
        try session.run(
            """
            CREATE TABLE practice_items_\(number)
                (key BLOB NOT NULL PRIMARY KEY, size INTEGER NOT NULL, item BLOB NOT NULL)
            """)
        let table = Table(
            definition: TableDefinition(
                name: name, number: number, partitionKey: partitionKey, sortKey: sortKey, billing: billing,
                createdAt: time), items: 0, bytes: 0)
        tables[name] = table
        return table
    }

    /// Removes a table and all it holds.
    func deleteTable(_ name: String) throws(ServiceError) {
        try changeTables { session, tables throws(ServiceError) in
            guard let table = tables.removeValue(forKey: name) else { throw .tableNotFound(named: name) }
            session.forget(table: table.definition.number)
            if try Self.recovery(of: table.definition, session) != nil {
                // As the service keeps what such a table held, for 35 days there.
                let name = "\(name)$DeletedTableBackup"
                _ = try Self.copy(table, name, .system, wallMilliseconds(), session)
                try Self.endRecovery(of: table.definition, session)
            }
            try session.run("DROP TABLE practice_items_\(table.definition.number)")
            try session.run("DELETE FROM practice_tables WHERE name = ?1", texts: [name], numbers: [])
            try session.run(
                "DELETE FROM practice_restores WHERE number = ?1", texts: [], numbers: [table.definition.number])
        }
    }

    /// Changes how a table is paid for.
    func change(_ name: String, to billing: TableDefinition.Billing) throws(ServiceError) -> Table {
        try changeTables { session, tables throws(ServiceError) in
            guard var table = tables[name] else { throw .tableNotFound(named: name) }
            var units = (read: 0, write: 0)
            if case .provisioned(let read, let write) = billing { units = (read, write) }
            try session.run(
                "UPDATE practice_tables SET read_units = ?2, write_units = ?3 WHERE name = ?1", texts: [name],
                numbers: [units.read, units.write])
            table.definition.billing = billing
            tables[name] = table
            return table
        }
    }
}
