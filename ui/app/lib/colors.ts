// A colour per service: from a hash of the name alone, so that every viewer sees the same one.
// Hues near red are left out (red means error); the lightness is such that each colour keeps a
// contrast of 3 : 1 against the light and the dark background alike.

/** OKLCH hues, without 0–40 (red) and thinned where neighbours look alike. */
const HUES = [50, 70, 95, 125, 152, 185, 218, 242, 262, 285, 310, 338];
const TONES: [lightness: number, chroma: number][] = [
  [0.66, 0.135],
  [0.55, 0.12],
];

export const PALETTE: string[] = TONES.flatMap(([lightness, chroma]) =>
  HUES.map((hue) => oklchToHex(lightness, chroma, hue)),
);

/** FNV-1a with a final mix, so that names with a common prefix spread. */
export function hashName(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) {
    hash ^= name.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  return hash >>> 0;
}

export function serviceColor(name: string): string {
  return PALETTE[hashName(name) % PALETTE.length];
}

function oklchToHex(lightness: number, chroma: number, hue: number): string {
  // Reduce the chroma until the colour is inside sRGB.
  for (let c = chroma; c >= 0; c -= 0.005) {
    const rgb = oklchToLinear(lightness, c, hue);
    if (rgb.every((value) => value >= -0.0005 && value <= 1.0005)) return toHex(rgb);
  }
  return '#888888';
}

function oklchToLinear(lightness: number, chroma: number, hue: number): number[] {
  const a = chroma * Math.cos((hue * Math.PI) / 180);
  const b = chroma * Math.sin((hue * Math.PI) / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
}

function toHex(linear: number[]): string {
  const channel = (value: number) => {
    const clamped = Math.min(1, Math.max(0, value));
    const encoded = clamped <= 0.0031308 ? 12.92 * clamped : 1.055 * clamped ** (1 / 2.4) - 0.055;
    return Math.round(encoded * 255)
      .toString(16)
      .padStart(2, '0');
  };
  return `#${linear.map(channel).join('')}`;
}

/** WCAG contrast of two #rrggbb colours. */
export function contrast(one: string, other: string): number {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
