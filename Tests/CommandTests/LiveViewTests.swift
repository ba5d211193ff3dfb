import Foundation
import TestSupport
import Testing

/// The page that is served while a run goes on.
@Suite struct LiveViewTests {
    @Test func aBrowserSeesTheRunToItsVerdict() throws {
        let run = try HeldRun(items: .many(4000, seed: 5), milliseconds: 300)
        let shown = "\(run.sandbox.path)/shown"
        run.sandbox.environment["PATH"] = ProcessInfo.processInfo.environment["PATH"]
        let browser = try run.sandbox.startShell(
            "exec python3 '\(pythonProgram("look_at_page.py"))' --live '\(run.url)' '\(shown)'")
        try waitUntil("the browser shows the page", within: .seconds(200)) {
            access(shown, F_OK) == 0 || browser.program.ends(within: 1)
        }
        run.release()
        let outcome = try run.started.outcome()
        #expect(outcome.code == 0, "\(outcome.errors)")
        let answer = try browser.outcome()
        let look = try JSONDecoder().decode(LiveLook.self, from: Data(answer.output.utf8))
        #expect(look.complaints == [] && look.requests.allSatisfy { $0.hasPrefix(run.url) }, "\(look.requests)")
        let (first, last) = (try #require(look.seen.first), try #require(look.seen.last))
        #expect(first.heading == "Running: preflight" && first.line == "Live", "\(first)")
        #expect(Set(look.seen.map(\.figures)).count > 3, "\(look.seen)")
        #expect(look.seen.contains { $0.heading == "Running: reading" })
        #expect(last.heading == "Migrated and proven" && last.line.hasPrefix("The run is over"), "\(last)")
        #expect(look.title == "Proven: dynamodb to raft · Sealift")
        // What it shows at the end is what the run has left.
        let file = try PageLook(at: "file://\(run.state)/report.html")
        #expect(look.main == file.main)
    }

    @Test func anInterruptedRunSaysSo() throws {
        let run = try HeldRun()
        let events = try run.sandbox.startShell("exec curl -sN --max-time 100 '\(run.url)events'")
        try waitUntil("the first events") { try text(of: events.output).contains("event: heading") }
        run.started.program.send(SIGINT)
        run.release()
        #expect(try run.started.outcome().code == 130)
        let seen = try events.outcome()
        #expect(seen.code == 0, "the stream does not end by itself")
        #expect(seen.output.contains("<h1>Running") || seen.output.contains("h1>Running"))
        #expect(seen.output.contains("h1>Failed") && seen.output.contains("Interrupted."))
        #expect(seen.output.hasSuffix("event: end\ndata: {}\n\n"))
    }

    @Test func aRehearsalSaysWhatItIs() throws {
        let run = try HeldRun(["-dry-run"])
        let events = try run.sandbox.startShell("exec curl -sN --max-time 100 '\(run.url)events'")
        try waitUntil("the first events") { try text(of: events.output).contains("event: heading") }
        run.release()
        #expect(try run.started.outcome().code == 0)
        let seen = try events.outcome().output
        #expect(seen.contains("h1>Dry run: the migration would go through") && seen.contains("Nothing was written."))
        #expect(!exists(run.state) && !exists("\(run.sandbox.path)/raft"))
    }

    /// What ends a run before it has a state folder is only shown here.
    @Test func aRunThatIsRefusedSaysWhy() throws {
        var items = TableItems()
        items.add("a/store/of/something-else")
        let run = try HeldRun(items: items)
        let events = try run.sandbox.startShell("exec curl -sN --max-time 100 '\(run.url)events'")
        try waitUntil("the first events") { try text(of: events.output).contains("event: heading") }
        run.release()
        let outcome = try run.started.outcome()
        #expect(outcome.code == 2, "\(outcome.errors)")
        let seen = try events.outcome().output
        #expect(seen.contains("h1>Failed") && seen.contains("-allow-any-data"), "\(seen.suffix(2000))")
    }

    @Test func itCanOnlyBeReadAndOnlyUnderTheMachinesOwnNames() throws {
        let run = try HeldRun()
        let page = try run.ask("")
        #expect(page.status == 200 && page.body.contains("<h1>Running"))
        for header in [
            "Content-Security-Policy: default-src 'none'", "Cache-Control: no-store", "nosniff", "no-referrer",
        ] {
            #expect(page.head.contains(header), "\(page.head)")
        }
        #expect(!page.head.contains("unsafe"))
        let head = try run.ask("", "--head")
        #expect(head.status == 200 && head.body == "" && head.head.contains("text/html"))
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"] {
            let answer = try run.ask("", "-X \(method)")
            #expect(answer.status == 405 && answer.head.contains("Allow: GET, HEAD"), "\(method): \(answer)")
        }
        #expect(try run.ask("", "-d x=1").status == 413)
        for path in ["none", "report.json", "..%2f..%2fetc%2fpasswd", "events/x"] {
            #expect(try run.ask(path, "--path-as-is").status == 404, "\(path)")
        }
        for (name, status) in [
            ("evil.example", 421), ("127.0.0.1.evil.example", 421),
            ("evil.example:\(run.url.split(separator: ":")[2])", 421),
            ("", 421), ("localhost", 200), ("LOCALHOST:9000", 200), ("127.0.0.1", 200), ("[::1]:1", 200),
        ] {
            for path in ["", "metrics", "events"] {
                let limit = path == "events" && status == 200 ? "-I" : ""
                let answer = try run.ask(path, "\(limit) -H 'Host: \(name)'")
                #expect(
                    answer.status == status || name == "" && answer.status == 400, "\(name) \(path): \(answer.status)")
                #expect(status == 200 || !answer.body.contains("sealift_"))
            }
        }
        run.release()
        #expect(try run.started.outcome().code == 0)
    }

    @Test func aTokenOpensIt() throws {
        let folder = try Sandbox()
        let token = "hvs.Canary+/Token=7"
        let file = try folder.write("token", "\(token)\n")
        chmod(file, 0o600)
        let run = try HeldRun(["-ui-token-file", file], address: "0.0.0.0:0")
        let escaped = "hvs.Canary%2B%2FToken%3D7"
        for words in [
            "", "-H 'X-Vault-Token: x'", "-H 'Authorization: Bearer \(token)x'", "-H 'Authorization: \(token)'",
            "-H 'X-Vault-Token: \(token.dropLast())'", "-H 'Cookie: sealift_view=1'",
        ] {
            for path in ["", "metrics", "events", "?token=x", "?token="] {
                let answer = try run.ask(path, words)
                #expect(answer.status == 401 && !answer.body.contains("<h1>"), "\(words) \(path)")
            }
        }
        for words in ["-H 'X-Vault-Token: \(token)'", "-H 'Authorization: Bearer \(token)'"] {
            #expect(try run.ask("", "\(words) -H 'Host: sealift.example'").status == 200)
            #expect(try run.ask("metrics", words).body.contains("sealift_phase"))
        }
        // Traded for a cookie, so that it stays in no address bar.
        let traded = try run.ask("?token=\(escaped)")
        #expect(traded.status == 303 && traded.head.contains("Location: /\r\n") && traded.head.contains("HttpOnly"))
        let cookie = try #require(traded.head.firstMatch(of: /Set-Cookie: ([^;]+);/)).output.1
        #expect(!traded.head.contains("Canary"))
        #expect(try run.ask("", "-H 'Cookie: a=b; \(cookie)'").status == 200)
        #expect(try run.ask("", "-H 'Cookie: \(cookie)0'").status == 401)
        #expect(try run.ask("metrics?token=\(escaped)").status == 200)
        run.release()
        let outcome = try run.started.outcome()
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(!(outcome.output + outcome.errors).contains("Canary"))
        #expect(try run.sandbox.shell("grep -rl Canary '\(run.state)' || true") == "")
    }

    @Test func metricsAreInPrometheusForm() throws {
        let run = try HeldRun()
        let answer = try run.ask("metrics")
        #expect(answer.status == 200 && answer.head.contains("text/plain; version=0.0.4"))
        var (described, typed, seen): (Set<String>, Set<String>, Set<String>) = ([], [], [])
        for line in lines(of: answer.body) {
            if let found = line.firstMatch(of: /^# HELP (sealift_[a-z_]+) [A-Z0-9].*\.$/) {
                #expect(described.insert(String(found.output.1)).inserted, "\(line)")
            } else if let found = line.firstMatch(of: /^# TYPE (sealift_[a-z_]+) (counter|gauge)$/) {
                #expect(typed.insert(String(found.output.1)).inserted, "\(line)")
                #expect(found.output.2 == "gauge" || found.output.1.hasSuffix("_total"), "\(line)")
            } else {
                let found = try #require(
                    line.firstMatch(of: /^(sealift_[a-z_]+)(?:\{[a-z]+="[a-z0-9_.]+"\})? [0-9.e+-]+$/), "\(line)")
                seen.insert(String(found.output.1))
            }
        }
        #expect(described == typed && seen == typed && typed.count >= 9, "\(typed)")
        #expect(answer.body.contains("sealift_phase{phase=\"preflight\"} 1\n"))
        #expect(answer.body.contains("sealift_result{result=\"running\"} 1\n"))
        run.release()
        #expect(try run.started.outcome().code == 0)
    }

    /// However many look, the run goes its way.
    @Test func lookersBeyondNumberAreTurnedAway() throws {
        let run = try HeldRun()
        let streams = try (0..<12).map { _ in
            try run.sandbox.startShell("exec curl -sN --max-time 100 '\(run.url)events'")
        }
        for stream in streams {
            try waitUntil("a stream") { try text(of: stream.output).contains("event: heading") }
        }
        #expect(try run.ask("events").status == 503)
        #expect(try run.ask("").status == 200)
        run.release()
        #expect(try run.started.outcome().code == 0)
        for stream in streams { #expect(try stream.outcome().output.contains("h1>Migrated and proven")) }
    }

    /// Whatever is wrong with the view is told before anything is read or written.
    @Test func aViewThatCannotBeServedEndsTheRunBeforeItBegins() throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        let file = try sandbox.configuration(source, .raft("\(sandbox.path)/dst"))
        let other = try PracticeServer(sandbox, [])
        let port = try #require(other.endpoint.split(separator: ":").last)
        let open = try sandbox.write("open-token", "abc\n")
        chmod(open, 0o644)
        let names = try FileManager.default.contentsOfDirectory(atPath: sandbox.path).sorted()
        for (flags, message) in [
            (["-ui", "127.0.0.1:\(port)"], "Address already in use"),
            (["-ui", "0.0.0.0:0"], "other machines can reach"), (["-ui", "[::]:0"], "other machines can reach"),
            (["-ui", "nothing"], "no address to listen on"), (["-ui", ":8400"], "no address to listen on"),
            (["-ui", "127.0.0.1:0", "-ui-token-file", open], "chmod 600"),
            (["-ui", "127.0.0.1:0", "-ui-token-file", "\(sandbox.path)/none"], "none"),
            (["-ui-token-file", open], "-ui, which is not given"),
        ] {
            let before = try snapshot(source.path)
            let outcome = try sandbox.migrate(file, flags)
            #expect(outcome.code == 1 && outcome.output == "", "\(flags): \(outcome.code) \(outcome.errors)")
            #expect(outcome.errors.contains(message), "\(flags): \(outcome.errors)")
            #expect(!outcome.errors.contains("abc"))
            #expect(try snapshot(source.path) == before)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: sandbox.path).sorted() == names)
        let seen = try sandbox.migrate(file, ["-ui", "127.0.0.1:0", "-format=json"])
        #expect(seen.code == 0, "\(seen.errors)")
        let first = try #require(try seen.events().first)
        #expect(first["event"] as? String == "live_view")
        #expect((first["url"] as? String)?.hasPrefix("http://127.0.0.1:") == true)
    }
}
