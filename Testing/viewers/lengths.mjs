// Reads a report of lengths as OHIF does, by the adapters of @cornerstonejs, and prints the lines that it would draw:
//   node lengths.mjs REPORT SOURCE...
import { adaptersSR } from "@cornerstonejs/adapters";
import { metaData } from "@cornerstonejs/core";
import { dataset, imagesOf, list, provider } from "./images.mjs";

const { MeasurementReport } = adaptersSR.Cornerstone3D;
const [report, ...sources] = process.argv.slice(2);
const images = imagesOf(sources);
const get = provider(images);
metaData.addProvider(get, 100);

const known = {};
for (const [id, image] of images) {
  known[`${image.SOPInstanceUID}:${id.split("/frames/")[1] ?? 1}`] = id;
}
const state = MeasurementReport.generateToolState(dataset(report), known, metaData);
const lines = Object.entries(state).flatMap(([tool, found]) =>
  found.map((one) => {
    const { data, metadata } = one.annotation;
    const [stats] = Object.values(data.cachedStats);
    return {
      tool,
      tracking: one.TrackingUniqueIdentifier,
      label: data.label,
      finding: list(one.finding)[0]?.CodeValue,
      image: images.get(metadata.referencedImageId)?.SOPInstanceUID,
      frame: Number(metadata.referencedImageId?.split("/frames/")[1] ?? 1),
      points: data.handles.points,
      length: Number(stats?.length),
      unit: stats?.unit,
    };
  }),
);
process.stdout.write(JSON.stringify(lines));
process.exit(0);
