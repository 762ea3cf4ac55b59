// Reads a segmentation and a report with the libraries of web viewers, and prints what they say as JSON:
//   node read.mjs SEGMENTATION REPORT SOURCE...
import { adaptersSEG } from "@cornerstonejs/adapters";
import { metaData } from "@cornerstonejs/core";
import { groupsOf } from "./groups.mjs";
import { bytes, imagesOf, list, provider } from "./images.mjs";

const [segmentation, report, ...sources] = process.argv.slice(2);
const images = imagesOf(sources);
const get = provider(images);

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
      const uid = images.get(image.referencedImageId ?? [...images.keys()][index]).SOPInstanceUID;
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

process.stdout.write(JSON.stringify({ segments: await segments(), groups: groupsOf(report) }));
process.exit(0);
