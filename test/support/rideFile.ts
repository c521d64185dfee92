import { FitBaseType, FitEncoder, type FitEncoderField } from "fit-file-parser/encoder";

export interface Ride {
  /** Unix seconds. */
  startInSeconds: number;
  seconds: number;
  heartRate: number;
  /** In degrees, where the whole ride takes place. */
  position?: { latitude: number; longitude: number };
  /** Padding of this many bytes a record, in a field that no activity needs, for files of a given size. */
  paddingBytes?: number;
}

export const RIDE: Ride = { startInSeconds: 1_760_000_000, seconds: 10, heartRate: 140 };

/** A cycling activity with one session and a record a second: what a head unit would send. */
export function rideFile(changes: Partial<Ride> = {}): Uint8Array<ArrayBuffer> {
  const ride = { ...RIDE, ...changes };
  const at = (seconds: number) => FitEncoder.toFitTimestamp(new Date((ride.startInSeconds + seconds) * 1000));
  const field = (number: number, baseType: FitBaseType, size: number, value: number): FitEncoderField => ({
    number,
    baseType,
    size,
    value,
  });
  const encoder = new FitEncoder();
  encoder.writeMessage(0, [
    field(0, FitBaseType.Enum, 1, 4),
    field(1, FitBaseType.Uint16, 2, 255),
    field(4, FitBaseType.Uint32, 4, at(0)),
  ]);
  for (let second = 0; second < ride.seconds; second += 1) {
    const fields = [
      field(253, FitBaseType.Uint32, 4, at(second)),
      field(3, FitBaseType.Uint8, 1, ride.heartRate),
      field(5, FitBaseType.Uint32, 4, second * 800),
      field(7, FitBaseType.Uint16, 2, 200),
    ];
    if (ride.position !== undefined) {
      const semicircles = (degrees: number) => Math.round((degrees / 180) * 2 ** 31);
      fields.push(
        field(0, FitBaseType.Sint32, 4, semicircles(ride.position.latitude)),
        field(1, FitBaseType.Sint32, 4, semicircles(ride.position.longitude)),
      );
    }
    if (ride.paddingBytes !== undefined) {
      fields.push({
        number: 200,
        baseType: FitBaseType.Byte,
        size: ride.paddingBytes,
        value: new Uint8Array(ride.paddingBytes).fill(second % 251),
      });
    }
    encoder.writeMessage(20, fields);
  }
  const duration = ride.seconds * 1000;
  encoder.writeMessage(19, [
    field(253, FitBaseType.Uint32, 4, at(ride.seconds)),
    field(2, FitBaseType.Uint32, 4, at(0)),
    field(7, FitBaseType.Uint32, 4, duration),
    field(8, FitBaseType.Uint32, 4, duration),
  ]);
  encoder.writeMessage(18, [
    field(253, FitBaseType.Uint32, 4, at(ride.seconds)),
    field(2, FitBaseType.Uint32, 4, at(0)),
    field(5, FitBaseType.Enum, 1, 2),
    field(7, FitBaseType.Uint32, 4, duration),
    field(8, FitBaseType.Uint32, 4, duration),
    field(9, FitBaseType.Uint32, 4, ride.seconds * 800),
    field(16, FitBaseType.Uint8, 1, ride.heartRate),
  ]);
  encoder.writeMessage(34, [
    field(253, FitBaseType.Uint32, 4, at(ride.seconds)),
    field(1, FitBaseType.Uint16, 2, 1),
  ]);
  return new Uint8Array(encoder.close());
}
