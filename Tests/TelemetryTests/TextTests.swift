import Telemetry
import Testing

@Suite struct TextTests {
    @Test func writesJSON() {
        let value = JSONText.object([
            ("z", .array([.integer(-1), .double(0.5), .double(.nan), .double(-.infinity), .null])),
            ("a\"", .boolean(false)),
            ("s", .string("q\" b\\ n\n t\t r\r \0 \u{1F} \u{7F} \u{2028} é 🏴")),
            ("o", .object([])), ("e", .array([])), ("n", .optional(nil as Int?)), ("i", .optional(3)),
        ])
        #expect(
            value.text
                == #"{"z":[-1,0.5,null,null,null],"a\"":false,"s":"q\" b\\ n\n t\t r\r "#
                + #"\u0000 \u001f \u007f \u2028 é 🏴""#
                + #","o":{},"e":[],"n":null,"i":3}"#)
    }

    @Test func indentsJSON() {
        let value = JSONText.object([
            ("list", .array([.integer(1), .object([("a", .string("b"))]), .array([])])), ("empty", .object([])),
        ])
        let text = """
            {
              "list": [
                1,
                {
                  "a": "b"
                },
                []
              ],
              "empty": {}
            }
            """
        #expect(value.indentedText == text)
        #expect(JSONText.null.indentedText == "null")
    }

    @Test(arguments: [
        (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1_048_575, "1.0 MiB"), (1_288_490_189, "1.2 GiB"),
        (-2048, "-2.0 KiB"), (Int.max, "8.0 EiB"), (Int.min, "-8.0 EiB"),
    ])
    func formatsBytes(_ count: Int, _ text: String) {
        #expect(formatBytes(count) == text)
    }

    @Test(arguments: [
        (0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567"), (-1000, "-1,000"),
        (Int.min, "-9,223,372,036,854,775,808"),
    ])
    func formatsCounts(_ count: Int, _ text: String) {
        #expect(formatCount(count) == text)
    }

    @Test(arguments: [
        (Duration.zero, "0ms"), (.milliseconds(850), "850ms"), (.milliseconds(4260), "4.2s"), (.seconds(42), "42s"),
        (.seconds(192), "3m12s"), (.seconds(7500), "2h05m"), (.seconds(273_600), "3d04h"), (.seconds(-61), "-1m01s"),
    ])
    func formatsDurations(_ duration: Duration, _ text: String) {
        #expect(formatDuration(duration) == text)
    }

    @Test(
        arguments: [
            (true, [:], true, true), (false, [:], false, false), (true, ["NO_COLOR": "1"], true, false),
            (true, ["NO_COLOR": ""], true, true), (true, ["TERM": "dumb"], false, false),
            (true, ["VAULT_CLI_NO_COLOR": "1"], true, false), (true, ["VAULT_FORMAT": "json"], true, false),
            (true, ["VAULT_FORMAT": "table"], true, true),
        ] as [(Bool, [String: String], Bool, Bool)])
    func coloursOnlyWhereWanted(
        _ isTerminal: Bool, _ environment: [String: String], _ block: Bool, _ colour: Bool
    ) {
        let settings = TerminalSettings(isTerminal: isTerminal, environment: environment)
        #expect(settings.allowsLiveBlock == block)
        #expect(settings.allowsColour == colour)
        #expect(settings.paint("no", .red) == (colour ? "\u{1B}[31mno\u{1B}[0m" : "no"))
    }
}
