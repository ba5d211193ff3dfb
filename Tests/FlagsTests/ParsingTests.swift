import Flags
import Testing

@Suite struct ParsingTests {
    private func parse(_ arguments: [String], _ environment: [String: String] = [:]) throws -> ParsedFlags {
        try Sample.migrate.parse(arguments, environment: environment)
    }

    @Test(arguments: [
        ["-config", "a.hcl"], ["-config=a.hcl"], ["--config", "a.hcl"], ["--config=a.hcl"],
        ["-config", "first", "-config", "a.hcl"], ["-config", "a.hcl", "rest", "-config=b"],
        ["-config", "a.hcl", "--", "-config=b"], ["-config", "a.hcl", "-", "-config=b"],
    ])
    func readsEverySpelling(_ arguments: [String]) throws {
        #expect(try parse(arguments).string("config") == "a.hcl")
    }

    @Test(arguments: [
        (["-reset"], true), (["-reset=true"], true), (["--reset=T"], true), (["-reset=1"], true), (["-reset=0"], false),
        (["-reset=False"], false), (["-reset", "false"], true), ([], false), (["-reset", "-reset=f"], false),
    ])
    func booleansTakeAValueOnlyBehindEquals(_ arguments: [String], _ expected: Bool) throws {
        #expect(try parse(arguments).boolean("reset") == expected)
    }

    @Test(arguments: [
        (["-x"], "flag provided but not defined: -x"),
        (["---config"], "bad flag syntax: ---config"), (["-=a"], "bad flag syntax: -=a"),
        (["-confg=a"], "flag provided but not defined: -confg\nDid you mean -config?"),
        (["-max-paralel", "3"], "flag provided but not defined: -max-paralel\nDid you mean -max-parallel?"),
        (["--log", "x"], "flag provided but not defined: -log\nDid you mean -log-level?"),
        (["-config"], "flag needs an argument: -config"),
        (
            ["-max-parallel", "v"],
            "invalid value \"v\" for flag -max-parallel: strconv.ParseInt: parsing \"v\": invalid syntax"
        ),
        (
            ["-max-parallel=0x1F"],
            "invalid value \"0x1F\" for flag -max-parallel: strconv.ParseInt: parsing \"0x1F\": invalid syntax"
        ),
        (
            ["-max-parallel=9223372036854775808"],
            "invalid value \"9223372036854775808\" for flag -max-parallel: "
                + "strconv.ParseInt: parsing \"9223372036854775808\": value out of range"
        ),
        (
            ["-workers="], "invalid value \"\" for flag -workers: strconv.ParseInt: parsing \"\": invalid syntax"
        ),
        (
            ["-reset=v"], "invalid boolean value \"v\" for -reset: strconv.ParseBool: parsing \"v\": invalid syntax"
        ),
        (
            ["-reset=a\"\n\u{1}é"],
            "invalid boolean value \"a\\\"\\n\\x01é\" for -reset: "
                + "strconv.ParseBool: parsing \"a\\\"\\n\\x01é\": invalid syntax"
        ),
        (["-timeout=3q"], "invalid value \"3q\" for flag -timeout: time: unknown unit \"q\" in duration \"3q\""),
        (["-timeout="], "invalid value \"\" for flag -timeout: time: invalid duration \"\""),
    ])
    func errorsAreGo(_ arguments: [String], _ message: String) {
        let error = #expect(throws: FlagError.self) { try parse(arguments) }
        #expect(error?.message == message)
        #expect(error?.exitCode == 1)
    }

    @Test(arguments: [
        ("7", 7), ("+7", 7), ("-7", -7), ("007", 7), ("", 0), ("9223372036854775807", Int.max),
        ("-9223372036854775808", Int.min),
    ])
    func numbersAreBaseTen(_ text: String, _ number: Int) throws {
        #expect(try parse(["-max-parallel=" + text]).integer("max-parallel") == number)
    }

    @Test(arguments: [
        ("30", Duration.seconds(30)), ("1h30m", .seconds(5400)), ("-1.5s", .milliseconds(-1500)),
        ("250ms", .milliseconds(250)), (".5s", .milliseconds(500)), ("5.s", .seconds(5)), ("0", .zero),
    ])
    func durationsAreGo(_ text: String, _ duration: Duration) throws {
        #expect(try parse(["-timeout=" + text]).duration("timeout") == duration)
    }

    @Test func listsGrowAndArgumentsStay() throws {
        let flags = try parse(["-skip", "sys/", "--skip=a,b", "x", "-y", "-", "-z=1"])
        #expect(flags.list("skip") == ["sys/", "a,b"])
        #expect(flags.arguments == ["x", "-y", "-", "-z=1"].map { Array($0.utf8) })
        #expect(
            flags.warnings == [
                "Command flags must be provided before positional arguments. The following arguments will not be "
                    + "parsed as flags: [-y,-z=1]"
            ])
        #expect(try parse(["--", "-y"]).warnings.isEmpty)
    }

    @Test(
        arguments: [
            ([:], [], "info", ParsedFlags.Source.defaultValue),
            (["VAULT_LOG_LEVEL": "warn"], [], "warn", .environment("VAULT_LOG_LEVEL")),
            (["VAULT_LOG_LEVEL": "warn", "SEALIFT_LOG_LEVEL": ""], [], "", .environment("SEALIFT_LOG_LEVEL")),
            (["VAULT_LOG_LEVEL": "warn"], ["-log-level=debug"], "debug", .commandLine),
        ] as [([String: String], [String], String, ParsedFlags.Source)])
    func flagBeatsEnvironmentBeatsDefault(
        _ environment: [String: String], _ arguments: [String], _ level: String, _ source: ParsedFlags.Source
    ) throws {
        let flags = try parse(arguments, environment)
        #expect(flags.string("log-level") == level)
        #expect(flags.source(of: "log-level") == source)
        #expect(flags.isSet("log-level") == (source != .defaultValue))
    }

    @Test func typedVariables() throws {
        let flags = try parse([], ["SEALIFT_WORKERS": "", "SEALIFT_TIMEOUT": "5", "SEALIFT_SKIP": "a/,b/"])
        #expect(!flags.isSet("workers"))
        #expect(flags.duration("timeout") == .seconds(5))
        #expect(flags.list("skip") == ["a/", "b/"])
        let message = #expect(throws: FlagError.self) { try parse([], ["SEALIFT_WORKERS": "many"]) }?.message
        #expect(
            message == "invalid value \"many\" in environment variable SEALIFT_WORKERS for flag -workers: "
                + "strconv.ParseInt: parsing \"many\": invalid syntax")
        // A flag makes its variable irrelevant, wrong or not.
        #expect(try parse(["-workers=2"], ["SEALIFT_WORKERS": "many"]).integer("workers") == 2)
    }

    @Test(arguments: [(["-h"], true), (["-bogus", "--help"], true), (["x", "-help"], true), (["--", "-h"], false)])
    func helpIsAskedForAnywhereBeforeDashes(_ arguments: [String], _ expected: Bool) throws {
        #expect(try parse(arguments).wantsHelp == expected)
    }

    @Test func survivesEverything() {
        let alphabet = ["-", "=", "c", "o", "\u{301}", "é", "\0", "config", "max-parallel", "9", " ", "\u{FFFD}", "🏴"]
        var state: UInt64 = 42
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(bound))
        }
        for _ in 0..<5000 {
            let arguments = (0..<next(4)).map { _ in (0..<next(6)).map { _ in alphabet[next(alphabet.count)] }.joined()
            }
            _ = try? parse(arguments)
            _ = try? Sample.root.resolve(["operator"] + arguments)
        }
    }
}
