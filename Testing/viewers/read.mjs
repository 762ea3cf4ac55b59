// Reads a segmentation and a report with the libraries of web viewers, and prints what they say as JSON:
//   node read.mjs SEGMENTATION REPORT SOURCE...
import { readFileSync } from "node:fs";
import dcmjs from "dcmjs";
import { adaptersSEG } from "@cornerstonejs/adapters";
import { metaData } from "@cornerstonejs/core";

const { DicomMessage, DicomMetaDictionary } = dcmjs.data;
const [segmentation, report, ...sources] = process.argv.slice(2);

function bytes(path) {
  const content = readFileSync(path);
  return content.buffer.slice(content.byteOffset, content.byteOffset + content.byteLength);
}

function dataset(path) {
  return DicomMetaDictionary.naturalizeDataset(DicomMessage.readFile(bytes(path)).dict);
}

function list(value) {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? [...value] : [value];
}

// --- what a viewer knows of the images behind the segmentation ---

const images = new Map(sources.map((path, number) => [`file:${number}`, dataset(path)]));

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

function get(type, id) {
  return images.has(id) && type in modules ? modules[type](images.get(id)) : undefined;
}

// --- segments: voxels on each image, and the sum of the places of these voxels ---

async function segments() {
  metaData.addProvider(get, 100);
  const made = await adaptersSEG.Cornerstone3D.Segmentation.createFromDICOMSegBuffer(
    [...images.keys()],
    bytes(segmentation),
    { metadataProvider: { get } },
  );
  const described = made.segMetadata.data.filter(Boolean);
  return described.map((one) => ({
    number: one.SegmentNumber,
    label: one.SegmentLabel,
    tracking: one.TrackingUID,
    type: list(one.SegmentedPropertyTypeCodeSequence)[0].CodeValue,
    voxels: voxels(made.labelMapImages, one.SegmentNumber),
  }));
}

function voxels(layers, number) {
  const found = {};
  for (const layer of layers) {
    for (const [index, image] of list(layer).entries()) {
      const pixels = image.voxelManager ? image.voxelManager.getScalarData() : image.getPixelData();
      const places = [...pixels.keys()].filter((place) => pixels[place] === number);
      if (places.length === 0) continue;
      const uid = images.get(image.referencedImageId ?? `file:${index}`).SOPInstanceUID;
      const before = found[uid] ?? { count: 0, places: 0 };
      found[uid] = {
        count: before.count + places.length,
        places: before.places + places.reduce((sum, place) => sum + place, 0),
        size: [image.rows, image.columns],
      };
    }
  }
  return found;
}

// --- the report: its measurement groups ---

function walk(item) {
  return list(item.ContentSequence).flatMap((child) => [child, ...walk(child)]);
}

function named(item, code) {
  return list(item.ConceptNameCodeSequence).some((one) => one.CodeValue === code);
}

function groups() {
  return walk(dataset(report))
    .filter((item) => named(item, "125007"))
    .map((group) => ({
      tracking: list(group.ContentSequence).find((item) => named(item, "112040")).UID,
      numbers: list(group.ContentSequence)
        .filter((item) => item.ValueType === "NUM")
        .map((item) => [list(item.ConceptNameCodeSequence)[0].CodeMeaning, number(item)]),
    }));
}

function number(item) {
  const [measured] = list(item.MeasuredValueSequence);
  return [Number(measured.NumericValue), list(measured.MeasurementUnitsCodeSequence)[0].CodeValue];
}

process.stdout.write(JSON.stringify({ segments: await segments(), groups: groups() }));
process.exit(0);
