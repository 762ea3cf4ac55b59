"""The codes of what is measured: names, units, methods and derivations (PS3.16 CID 218, 7464, 7469 to 7474, 6140).

All but the two percentiles (IBSI alone) are in the dictionaries of the standard that pydicom carries; a test compares.
"""

from __future__ import annotations

from slicermedai.domain.codes import Code, ucum


def _dcm(value: str, meaning: str) -> Code:
    return Code(value=value, scheme="DCM", meaning=meaning)


def _sct(value: str, meaning: str) -> Code:
    return Code(value=value, scheme="SCT", meaning=meaning)


def _ibsi(value: str, meaning: str) -> Code:
    return Code(value=value, scheme="IBSI", meaning=meaning)


MAXIMUM_3D_DIAMETER = _ibsi("L0JK", "Maximum 3D Diameter of a Mesh")
SURFACE_AREA = _ibsi("C0JK", "Surface Area of Mesh")
MESH_VOLUME = _ibsi("RNU0", "Volume of Mesh")

ATTENUATION = _dcm("112031", "Attenuation Coefficient")
MR_SIGNAL = _dcm("110852", "MR signal intensity")
ACTIVITY = _dcm("110821", "Nuclear Medicine Tomographic Activity")
SUV_BODY_WEIGHT = _dcm("126401", "SUVbw")

SQUARE_MILLIMETER = ucum("mm2", "square millimeter")
BECQUERELS_PER_ML = ucum("Bq/ml", "Becquerels/milliliter")
GRAMS_PER_ML_SUV = ucum("g/ml{SUVbw}", "Standardized Uptake Value body weight")

IN_PLANE = _dcm("112188", "Two-dimensional method")
SUV_METHOD = _dcm("126410", "SUV body weight calculation method")

MEAN = _sct("373098007", "Mean")
MEDIAN = _sct("373099004", "Median")
MINIMUM = _sct("255605001", "Minimum")
MAXIMUM = _sct("56851009", "Maximum")
STANDARD_DEVIATION = _sct("386136009", "Standard Deviation")
PERCENTILE_10 = _ibsi("QG58", "10th Intensity Percentile")
PERCENTILE_90 = _ibsi("8DWT", "90th Intensity Percentile")
