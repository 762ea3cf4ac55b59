// What a viewer knows of the images behind an object, as the libraries of web viewers ask for it.
import { readFileSync } from "node:fs";
import dcmjs from "dcmjs";

const { DicomMessage, DicomMetaDictionary } = dcmjs.data;

export function bytes(path) {
  const content = readFileSync(path);
  return content.buffer.slice(content.byteOffset, content.byteOffset + content.byteLength);
}

export function dataset(path) {
  return DicomMetaDictionary.naturalizeDataset(DicomMessage.readFile(bytes(path)).dict);
}

export function list(value) {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? [...value] : [value];
}

function plane(image) {
  const cosines = list(image.ImageOrientationPatient).map(Number);
  const spacing = list(image.PixelSpacing).map(Number);
  return {
    frameOfReferenceUID: image.FrameOfReferenceUID,
    rows: image.Rows,
    columns: image.Columns,
    imageOrientationPatient: cosines,
    rowCosines: cosines.slice(0, 3),
    columnCosines: cosines.slice(3),
    imagePositionPatient: list(image.ImagePositionPatient).map(Number),
    pixelSpacing: spacing,
    rowPixelSpacing: spacing[0],
    columnPixelSpacing: spacing[1],
  };
}

const modules = {
  instance: (image) => image,
  generalImageModule: (image) => ({ sopInstanceUID: image.SOPInstanceUID }),
  generalSeriesModule: (image) => ({ seriesInstanceUID: image.SeriesInstanceUID, modality: image.Modality }),
  imagePlaneModule: plane,
  imagePixelModule: (image) => ({ bitsAllocated: 16, samplesPerPixel: 1, rows: image.Rows, columns: image.Columns }),
};

// All frames of the files, "file:0", "file:1/frames/2" ...; those of a multi-frame image have their place from its groups.
export function imagesOf(paths) {
  return new Map(paths.flatMap((path, number) => frames(dataset(path), `file:${number}`)));
}

function frames(image, name) {
  const own = list(image.PerFrameFunctionalGroupsSequence);
  if (own.length === 0) return [[name, image]];
  const [shared] = list(image.SharedFunctionalGroupsSequence);
  return own.map((groups, index) => [`${name}/frames/${index + 1}`, { ...image, ...placed(shared), ...placed(groups) }]);
}

function placed(groups) {
  const kept = ["PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence"];
  return Object.assign({}, ...kept.flatMap((macro) => list(groups[macro]).map((item) => ({ ...item }))));
}

export function provider(images) {
  return (type, id) => (images.has(id) && type in modules ? modules[type](images.get(id)) : undefined);
}
