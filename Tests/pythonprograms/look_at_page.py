"""Opens a report's page in a real browser and says what it is like, as one JSON object.

usage: look_at_page.py URL [FOLDER]
       look_at_page.py --live URL FILE

With FOLDER, pictures are written there as well. With --live the page is watched until its run is over; FILE is made as
soon as it shows.
"""
import json
import pathlib
import sys
import time

from browser import PATIENCE, Browser

# Every text that shows, with its contrast to what is behind it (WCAG 2.2).
CONTRASTS = """
(() => {
  const parts = (text) => {
    const found = text.match(/[\\d.]+/g).map(Number);
    return {red: found[0], green: found[1], blue: found[2], alpha: found.length > 3 ? found[3] : 1};
  };
  const channel = (value) => {
    value /= 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  const luminance = (colour) =>
    0.2126 * channel(colour.red) + 0.7152 * channel(colour.green) + 0.0722 * channel(colour.blue);
  const backdrop = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parts(getComputedStyle(at).backgroundColor);
      if (colour.alpha === 1) return colour;
      if (colour.alpha > 0) throw new Error("a background that is half seen through");
    }
    return {red: 255, green: 255, blue: 255, alpha: 1};
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const element = walker.currentNode.parentElement;
    if (!text || element.closest("script, style, title") || !element.getClientRects().length) continue;
    const lights = [luminance(parts(getComputedStyle(element).color)), luminance(backdrop(element))];
    found.push({text: text.slice(0, 40), contrast: (Math.max(...lights) + 0.05) / (Math.min(...lights) + 0.05)});
  }
  return found;
})()
"""
OVERFLOW = """
(() => {
  const room = document.documentElement.clientWidth;
  const wide = [...document.body.querySelectorAll("*")].filter((element) => {
    const box = element.getBoundingClientRect();
    return box.width > 0 && (box.right > room + 1 || box.left < -1);
  });
  return {page: document.documentElement.scrollWidth - room,
          elements: wide.slice(0, 5).map((element) => element.outerHTML.slice(0, 120))};
})()
"""
STRUCTURE = """
(() => ({
  heading: document.querySelector("h1").textContent,
  title: document.title,
  levels: [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].map((heading) => Number(heading.tagName[1])),
  landmarks: ["header", "main", "footer"].map((name) => document.body.querySelectorAll(`:scope > ${name}`).length),
  language: document.documentElement.lang,
  headersWithoutScope: document.querySelectorAll("th:not([scope])").length,
  tablesWithoutHead: [...document.querySelectorAll("table")].filter((table) => !table.tHead).length,
  picturesWithoutText: [...document.querySelectorAll("svg")].filter((svg) =>
    !svg.closest("[aria-hidden=true]") && !svg.querySelector("title")).length,
  sectionsWithoutName: [...document.querySelectorAll("section")].filter((section) =>
    !document.getElementById(section.getAttribute("aria-labelledby"))).length,
  sections: [...document.querySelectorAll("section > h2")].map((heading) => heading.textContent),
  scripts: document.scripts.length,
  doubleIds: [...document.querySelectorAll("[id]")].map((one) => one.id).filter((id, at, all) =>
    all.indexOf(id) !== at),
  text: document.body.innerText,
  main: document.querySelector("main").innerHTML,
}))()
"""


def look(url, folder):
    with Browser() as browser:
        browser.set_width(1600)
        result = {"milliseconds": browser.open(url)}
        result.update(browser.evaluate(STRUCTURE))
        result["overflow"] = {}
        for width in [360, 1600]:
            browser.set_width(width)
            result["overflow"][str(width)] = browser.evaluate(OVERFLOW)
        result["contrast"] = {}
        for scheme in ["light", "dark"]:
            for width in [1600, 360]:
                browser.set_scheme(scheme)
                browser.set_width(width)
                found = sorted(browser.evaluate(CONTRASTS), key=lambda one: one["contrast"])
                result["contrast"][f"{scheme} {width}"] = {"texts": len(found), "least": found[0]}
                if folder:
                    browser.screenshot(f"{folder}/{scheme}-{width}.png")
        browser.set_scheme("dark", "print")
        found = sorted(browser.evaluate(CONTRASTS), key=lambda one: one["contrast"])
        result["contrast"]["print"] = {"texts": len(found), "least": found[0]}
        if folder:
            browser.set_scheme("light")
            browser.print_to(f"{folder}/print.pdf")
        result["complaints"] = browser.complaints()
        result["requests"] = browser.requests()
    return result


def watch(url, shown):
    with Browser() as browser:
        browser.set_width(1200)
        browser.open(url)
        pathlib.Path(shown).touch()
        seen = []
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            now = browser.evaluate("""({
              heading: document.querySelector("h1").textContent,
              figures: document.querySelector("#figures").innerText,
              line: document.querySelector("#connection").textContent})""")
            if not seen or now != seen[-1]:
                seen.append(now)
            if now["line"].startswith("The "):
                break
            time.sleep(0.05)
        return {"seen": seen, "title": browser.evaluate("document.title"),
                "main": browser.evaluate("document.querySelector('main').innerHTML"),
                "complaints": browser.complaints(), "requests": browser.requests()}


def main():
    words = sys.argv[1:]
    if words[0] == "--live":
        print(json.dumps(watch(words[1], words[2])))
    else:
        if len(words) > 1:
            pathlib.Path(words[1]).mkdir(exist_ok=True)
        print(json.dumps(look(words[0], words[1] if len(words) > 1 else None)))


main()
