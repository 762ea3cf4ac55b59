// Reads a report with dcmjs, and prints its measurement groups: what each is tracked as, and its numbers.
//   node groups.mjs REPORT
import { dataset, list } from "./images.mjs";

export function groupsOf(path) {
  return walk(dataset(path))
    .filter((item) => named(item, "125007"))
    .map((group) => ({
      tracking: list(group.ContentSequence).find((item) => named(item, "112040")).UID,
      numbers: list(group.ContentSequence)
        .filter((item) => item.ValueType === "NUM")
        .map((item) => [list(item.ConceptNameCodeSequence)[0].CodeMeaning, number(item)]),
    }));
}

function walk(item) {
  return list(item.ContentSequence).flatMap((child) => [child, ...walk(child)]);
}

function named(item, code) {
  return list(item.ConceptNameCodeSequence).some((one) => one.CodeValue === code);
}

function number(item) {
  const [measured] = list(item.MeasuredValueSequence);
  return [Number(measured.NumericValue), list(measured.MeasurementUnitsCodeSequence)[0].CodeValue];
}

if (process.argv[1]?.endsWith("groups.mjs")) {
  process.stdout.write(JSON.stringify(groupsOf(process.argv[2])));
}
