// Numbers as people read them.
const NARROW = "\u00a0";
const whole = (value) => Math.round(value).toLocaleString("en-GB");

export function distance(km) {
  if (km < 1) return `${whole(1000 * km)}${NARROW}m`;
  return `${km < 10 ? km.toFixed(1) : whole(km)}${NARROW}km`;
}

export const points = (score) => `${whole(score)} of 5,000 points`;
