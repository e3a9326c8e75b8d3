// The part of a map that lies within a distance of a place.

export const EARTH_RADIUS_KM = 6371.0088;
const RAD = Math.PI / 180;

// As close that a circle looks round, and closest to the north and the south, where it may pass by a pole.
const BEARINGS = Array.from({ length: 61 }, (_, step) => 90 * (1 - Math.cos(Math.PI * step / 60)));

function destination(latitude, bearing, angle) {
  const up = latitude * RAD;
  const way = bearing * RAD;
  const sine = Math.sin(up) * Math.cos(angle) + Math.cos(up) * Math.sin(angle) * Math.cos(way);
  const east = Math.atan2(
    Math.sin(way) * Math.sin(angle) * Math.cos(up),
    Math.cos(angle) - Math.sin(up) * sine,
  );
  return [Math.asin(Math.min(1, Math.max(-1, sine))) / RAD, Math.abs(east) / RAD];
}

// Its corners, [latitude, longitude], from the north over the east; longitudes run on past ±180. One that holds a
// pole spans all longitudes, and has corners at latitude ±90, where it has no border.
export function circle(latitude, longitude, radiusKm) {
  const angle = radiusKm / EARTH_RADIUS_KM;
  const half = BEARINGS.map((bearing) => destination(latitude, bearing, angle));
  const border = half.map(([lat, lon]) => [lat, longitude + lon]);
  const degrees = angle / RAD;
  if (degrees - latitude > 90) border.push([-90, longitude + 180], [-90, longitude - 180]);
  border.push(...half.map(([lat, lon]) => [lat, longitude - lon]).reverse());
  if (degrees + latitude > 90) border.push([90, longitude - 180], [90, longitude + 180]);
  return border;
}

export const holdsPole = (area) => area.some(([latitude]) => Math.abs(latitude) === 90);

export function distanceKm([latitude1, longitude1], [latitude2, longitude2]) {
  const half = (degrees) => Math.sin(degrees * RAD / 2) ** 2;
  const h = half(latitude2 - latitude1)
    + Math.cos(latitude1 * RAD) * Math.cos(latitude2 * RAD) * half(longitude2 - longitude1);
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(h)));
}
