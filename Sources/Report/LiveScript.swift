/// The script of the page that is served while a run goes on: puts what has changed in its place.
enum LiveScript {
    /// Everything that comes is made by ``ReportPage``, which escapes what is not the program's own.
    static let source = """

        "use strict";
        (() => {
          const events = new EventSource("events");
          const line = document.createElement("p");
          line.id = "connection";
          line.setAttribute("role", "status");
          document.querySelector("header").append(line);
          const say = (text) => { if (line.textContent !== text) line.textContent = text; };
          say("Live");
          events.addEventListener("part", (event) => {
            const part = JSON.parse(event.data);
            const place = document.getElementById(part.id);
            if (place) place.innerHTML = part.html;
          });
          events.addEventListener("heading", (event) => { document.title = JSON.parse(event.data); });
          events.addEventListener("open", () => say("Live"));
          events.addEventListener("error", () => say("The connection is lost; this is what was last seen."));
          events.addEventListener("end", () => { events.close(); say("The run is over."); });
        })();

        """
}
