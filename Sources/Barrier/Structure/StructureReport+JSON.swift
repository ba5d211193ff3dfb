import Storage
package import Telemetry

extension StructureReport {
    /// For programs: the members of an object. Names are in snake case, sizes in bytes, keys escaped as in manifests.
    package var members: [(String, JSONText)] {
        [
            ("sound", .boolean(isSound)), ("entries", .integer(entries)), ("bytes", .integer(bytes)),
            ("seal", seal.map(Self.members) ?? .null), ("seal_faults", .array(sealFaults.map(JSONText.string))),
            ("releases", .array(layout.sortedReleases.map(JSONText.string))),
            ("key_terms", Self.members(terms, activeTerm)),
            (
                "sealed_namespaces",
                .array(
                    sealedNamespaces.map {
                        .object([("id", .string("\($0.id)")), ("key_terms", Self.members($0.terms, $0.activeTerm))])
                    })
            ), ("open_namespaces_key_terms", openTerms.entries > 0 ? Self.members(openTerms, nil) : .null),
            ("namespaces", .integer(sealedNamespaces.count + openNamespaces)),
            ("in_clear", .integer(inClear)),
            (
                "seal_wrapped",
                .object([
                    ("in_clear", .integer(sealWrapped.inClear)), ("by_seal", .integer(sealWrapped.bySeal)),
                    ("by_several_seals", .integer(sealWrapped.bySeveral)),
                ])
            ), ("of_other_form", .integer(ofOtherForm)), ("missing", .array(missing.map(JSONText.string))),
            ("suspicious", .integer(suspicious)), ("suspicions", .array(suspicions.map(Self.members))),
            ("signs", .array(signs.map(JSONText.string))), ("remarks", .array(remarks.map(JSONText.string))),
            (
                "places",
                .array(
                    places.map {
                        .object([
                            ("prefix", .string("\($0.prefix)")), ("entries", .integer($0.entries)),
                            ("bytes", .integer($0.bytes)),
                        ])
                    })
            ),
        ]
    }

    private static func members(_ suspicion: Suspicion) -> JSONText {
        .object([
            ("kind", .string(suspicion.damage.rawValue)), ("entries", .integer(suspicion.entries)),
            ("meaning", .string(suspicion.damage.meaning)),
            ("first", .array(suspicion.first.map { .string("\($0)") })),
        ])
    }

    private static func members(_ terms: TermCounts, _ active: UInt32?) -> JSONText {
        .object([
            ("active", .optional(active.map(Int.init))),
            (
                "terms",
                .array(
                    terms.terms.map {
                        .object([
                            ("term", .integer(Int($0.term))), ("entries", .integer($0.entries)),
                            ("version_1", .integer($0.ofVersion1)),
                        ])
                    })
            ), ("entries_of_higher_terms", .integer(terms.ofHigherTerms.count)),
        ])
    }

    private static func members(_ seal: SealDescription) -> JSONText { .object(seal.members) }
}

extension SealDescription {
    /// What a seal is, for programs.
    package var members: [(String, JSONText)] {
        [
            ("type", .string(type)), ("shares", .optional(shares)), ("threshold", .optional(threshold)),
            ("key_id", .optional(keyID)), ("legacy", .boolean(isLegacy)), ("root_key", .string(rootKey.rawValue)),
            ("fault", .optional(fault)),
        ]
    }
}
