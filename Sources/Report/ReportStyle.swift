/// How the page looks: light and dark, narrow and wide, on paper.
///
/// Texts keep a contrast of 4.5 to what is behind them (WCAG 2.2, 1.4.3) in both schemes.
enum ReportStyle {
    static let source = """

        :root { color-scheme: light dark; --back: #fff; --card: #f6f8fa; --text: #1a1f24; --soft: #4c5863;
          --line: #d3dae0; --link: #0b5cad; --good-back: #e6f4ea; --good: #0f5323; --bad-back: #fdecea; --bad: #8b1a10;
          --warn-back: #fff4d6; --warn: #624300; --run-back: #e8f1fb; --run: #0b4a8b; --reading: #7a5cc2;
          --copying: #1769c2; --comparing: #1a7f4b; --other: #68737d; }
        @media (prefers-color-scheme: dark) { :root { --back: #0f1419; --card: #171d24; --text: #e6eaee; --soft: #a9b4bf;
          --line: #2e3740; --link: #8cc2ff; --good-back: #10331d; --good: #9be5b2; --bad-back: #3b1512; --bad: #ffb9af;
          --warn-back: #3a2d06; --warn: #ffdc85; --run-back: #0f2a47; --run: #a8d1ff; --reading: #a48be0;
          --copying: #5aa2ec; --comparing: #4dbb82; --other: #8b97a2; } }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--back); color: var(--text);
          font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "Liberation Sans", Arial, sans-serif; }
        header, main, footer { max-width: 66rem; margin: 0 auto; padding: 0 1.25rem; }
        header { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1rem; padding-top: 1rem; }
        header p { margin: 0; font-weight: 600; }
        header span, #connection { color: var(--soft); font-weight: 400; }
        footer { color: var(--soft); font-size: .875rem; padding-top: 1rem; padding-bottom: 2rem; }
        h1 { font-size: 1.6rem; line-height: 1.25; margin: 0; }
        h2 { font-size: 1.15rem; margin: 0 0 .75rem; }
        h3 { font-size: 1rem; margin: 1.25rem 0 .5rem; overflow-wrap: anywhere; }
        h2 + h3 { margin-top: 0; }
        .part:empty { display: none; }
        section { border-top: 1px solid var(--line); padding: 1.25rem 0 1.5rem; }
        #figures section { border-top: 0; padding-top: 0; }
        .verdict { display: flex; gap: 1rem; margin: 1rem 0 1.5rem; padding: 1.25rem 1.5rem; border-radius: .5rem;
          border: 1px solid currentColor; }
        .verdict > div { min-width: 0; flex: 1; }
        .verdict p { margin: .35rem 0 0; overflow-wrap: anywhere; }
        .verdict .mark { margin: 0; font-size: 1.6rem; line-height: 1.25; font-weight: 700; }
        .verdict .reason { white-space: pre-wrap; font-family: ui-monospace, "DejaVu Sans Mono", monospace;
          font-size: .875rem; }
        .proven { background: var(--good-back); color: var(--good); }
        .verdict.part { background: var(--warn-back); color: var(--warn); }
        .failed { background: var(--bad-back); color: var(--bad); }
        .running { background: var(--run-back); color: var(--run); }
        progress { width: min(20rem, 60%); height: .75rem; accent-color: var(--copying); vertical-align: middle; }
        dl { margin: 0; }
        dl > div { display: grid; grid-template-columns: 11rem 1fr; gap: 0 1rem; padding: .2rem 0; }
        dt { color: var(--soft); }
        dd { margin: 0; overflow-wrap: anywhere; }
        .figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(12rem, 1fr)); gap: .75rem;
          margin-bottom: 1rem; }
        .figures > div { display: block; background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
          padding: .75rem 1rem; }
        .figures strong { display: block; font-size: 1.35rem; line-height: 1.3; font-variant-numeric: tabular-nums; }
        .figures span { color: var(--soft); font-size: .875rem; }
        code, pre { font-family: ui-monospace, "DejaVu Sans Mono", "Liberation Mono", monospace; font-size: .875em; }
        code { overflow-wrap: anywhere; unicode-bidi: isolate; }
        pre { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem;
          white-space: pre-wrap; overflow-wrap: anywhere; margin: .5rem 0 1rem; }
        table { width: 100%; border-collapse: collapse; margin: 0 0 .75rem; }
        table.counts { max-width: 34rem; }
        th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0; font-weight: 400;
          border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
        thead th { color: var(--soft); font-size: .875rem; overflow-wrap: normal; }
        tbody th { min-width: 5rem; }
        .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
        tr > :last-child { padding-right: 0; }
        tr.bad { background: var(--bad-back); color: var(--bad); font-weight: 600; }
        .note { color: var(--soft); font-size: .875rem; }
        .share { width: 28%; padding-right: 0; }
        .share svg { display: block; width: 100%; height: .6rem; margin-top: .45rem; }
        .share rect { fill: var(--copying); }
        .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1rem 2rem;
          margin-bottom: 1rem; }
        figure { margin: 0; }
        figcaption { display: flex; justify-content: space-between; gap: 1rem; }
        figcaption span, .axis { color: var(--soft); font-size: .875rem; }
        .axis { display: flex; justify-content: space-between; margin: 0; }
        figure svg { display: block; width: 100%; height: 9rem; background: var(--card); }
        figure line { stroke: var(--soft); vector-effect: non-scaling-stroke; }
        path.reading, .swatch.reading { fill: var(--reading); background: var(--reading); }
        path.copying, .swatch.copying { fill: var(--copying); background: var(--copying); }
        path.comparing, .swatch.comparing { fill: var(--comparing); background: var(--comparing); }
        path.other, .swatch.other { fill: var(--other); background: var(--other); }
        .swatch { display: inline-block; width: .75rem; height: .75rem; border-radius: 2px; margin-right: .5rem; }
        ul, ol { margin: 0 0 .75rem; padding-left: 1.25rem; }
        li { margin: .2rem 0; overflow-wrap: anywhere; }
        ol li { margin: .5rem 0; }
        @media (max-width: 40rem) {
          header, main, footer { padding-left: .9rem; padding-right: .9rem; }
          .verdict { padding: 1rem; gap: .75rem; }
          .figures { grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); }
          dl:not(.figures) > div { display: block; padding: .3rem 0; }
          .share { display: none; }
          th, td { padding-right: .5rem; font-size: .875rem; }
          .phases th, .phases td { font-size: .8125rem; padding-right: .35rem; min-width: 0; overflow-wrap: normal; }
          .phases .swatch { width: .5rem; height: .5rem; margin-right: .25rem; }
        }
        @media print {
          :root { color-scheme: light; --back: #fff; --card: #fff; --text: #000; --soft: #333; --line: #999;
            --good-back: #fff; --bad-back: #fff; --warn-back: #fff; --run-back: #fff; --good: #0f5323; --bad: #8b1a10;
            --warn: #624300; --run: #0b4a8b; --copying: #1769c2; --comparing: #1a7f4b; --reading: #7a5cc2; }
          @page { margin: 16mm; }
          body { font-size: 10.5pt; }
          header, main, footer { max-width: none; padding: 0; }
          #connection { display: none; }
          svg, .swatch { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
          h2, h3 { break-after: avoid; }
          tr, figure, pre, .counts, .phases, .verdict, .figures > div, li { break-inside: avoid; }
          .figures { grid-template-columns: repeat(4, 1fr); }
          .figures strong { font-size: 1.15rem; }
          .charts { grid-template-columns: 1fr 1fr; }
          section { padding: .75rem 0 1rem; }
          .verdict { border-width: 2px; }
          figure svg { height: 30mm; }
        }

        """
}
