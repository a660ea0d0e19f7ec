/** One group of bars: the same figure of several sides. */
export interface BarGroup {
  readonly title: string;
  readonly bars: readonly Bar[];
}

export interface Bar {
  /** One of {@link PlotOptions.series}. */
  readonly series: string;
  readonly value: number;
  /** The value as people read it. */
  readonly label: string;
}

export interface PlotOptions {
  readonly title: string;
  /** In the order of their colours. */
  readonly series: readonly string[];
  readonly groups: readonly BarGroup[];
}

const WIDTH = 800;
const LEFT = 210;
const RIGHT = 110;
const BAR = 16;
const GAP = 14;
const TOP = 64;
const COLOURS = ["#1f6feb", "#8b949e", "#c9a227", "#57606a"] as const;
const TEXT = "#57606a";

/** Horizontal bars in groups, each group on a scale of its own, as an SVG document; readable on light and dark pages. */
export function toBarPlot({ title, series, groups }: PlotOptions): string {
  const parts: string[] = [`<title>${escaped(title)}</title>`, text(16, 24, title, { size: 15, bold: true })];
  for (const [index, name] of series.entries()) {
    const x = 16 + index * 160;
    parts.push(`<rect x="${x}" y="36" width="12" height="12" fill="${colourOf(index)}"/>`, text(x + 18, 46, name));
  }
  let y = TOP;
  for (const { title: name, bars } of groups) {
    const most = Math.max(...bars.map(({ value }) => value), Number.MIN_VALUE);
    parts.push(text(LEFT - 10, y + (bars.length * BAR) / 2 + 4, name, { anchor: "end" }));
    for (const { series: of, value, label } of bars) {
      const width = Math.max(1, (Math.max(0, value) / most) * (WIDTH - LEFT - RIGHT));
      const colour = colourOf(series.indexOf(of));
      parts.push(
        `<rect x="${LEFT}" y="${y}" width="${width.toFixed(1)}" height="${BAR - 2}" fill="${colour}"/>`,
        text(LEFT + width + 6, y + 11, label),
      );
      y += BAR;
    }
    y += GAP;
  }
  const size = `width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif">\n${parts.join("\n")}\n</svg>\n`;
}

function colourOf(index: number): string {
  return COLOURS[index] ?? TEXT;
}

function text(
  x: number,
  y: number,
  content: string,
  style: { readonly size?: number; readonly bold?: boolean; readonly anchor?: "end" } = {},
): string {
  const { size = 12, bold = false, anchor } = style;
  const more = `${bold ? ' font-weight="bold"' : ""}${anchor === undefined ? "" : ` text-anchor="${anchor}"`}`;
  return `<text x="${x.toFixed(1)}" y="${y}" font-size="${size}" fill="${TEXT}"${more}>${escaped(content)}</text>`;
}

function escaped(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
