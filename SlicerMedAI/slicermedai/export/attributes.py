"""The attributes that a derived object takes over from its source (PS3.3), as data."""

from __future__ import annotations

IDENTITY = ("PatientID", "PatientName", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
"""What is asked for, by name, where a source has no context."""

PATIENT = (
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "IssuerOfPatientIDQualifiersSequence",
    "TypeOfPatientID",
    "PatientBirthDate",
    "PatientBirthTime",
    "PatientSex",
    "OtherPatientIDsSequence",
    "OtherPatientNames",
    "PatientComments",
    "EthnicGroup",
    "QualityControlSubject",
    "PatientSpeciesDescription",
    "PatientSpeciesCodeSequence",
    "PatientBreedDescription",
    "PatientBreedCodeSequence",
    "BreedRegistrationSequence",
    "ResponsiblePerson",
    "ResponsiblePersonRole",
    "ResponsibleOrganization",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
)
"""Patient module (C.7.1.1): all objects of a patient say the same of the patient."""

TRIAL = (
    "ClinicalTrialSponsorName",
    "ClinicalTrialProtocolID",
    "ClinicalTrialProtocolName",
    "ClinicalTrialSiteID",
    "ClinicalTrialSiteName",
    "ClinicalTrialSubjectID",
    "ClinicalTrialSubjectReadingID",
    "ClinicalTrialTimePointID",
    "ClinicalTrialTimePointDescription",
)
"""Clinical Trial Subject and Study modules (C.7.1.3, C.7.2.3)."""

STUDY = (
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "ReferringPhysicianIdentificationSequence",
    "PhysiciansOfRecord",
    "PhysiciansOfRecordIdentificationSequence",
    "StudyID",
    "AccessionNumber",
    "IssuerOfAccessionNumberSequence",
    "StudyDescription",
    "ProcedureCodeSequence",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "PatientSexNeutered",
    "AdditionalPatientHistory",
    "MedicalAlerts",
    "Allergies",
    "PregnancyStatus",
    "AdmissionID",
    "IssuerOfAdmissionIDSequence",
    "ServiceEpisodeID",
    "IssuerOfServiceEpisodeIDSequence",
    "LongitudinalTemporalInformationModified",
)
"""General Study and Patient Study modules (C.7.2.1, C.7.2.2)."""

ORDER = "RequestAttributesSequence"
"""What was ordered (table 10-9): in images in General Series (C.7.3.1), in documents as Referenced Request (C.17.2)."""

PROCEDURE = (
    "AccessionNumber",
    "IssuerOfAccessionNumberSequence",
    "PlacerOrderNumberImagingServiceRequest",
    "FillerOrderNumberImagingServiceRequest",
    "RequestedProcedureID",
    "RequestedProcedureDescription",
    "RequestedProcedureCodeSequence",
)
"""What tells one requested procedure from others."""

STEP = (
    "StudyInstanceUID",
    "ScheduledProcedureStepID",
    "ScheduledProcedureStepDescription",
    "ScheduledProtocolCodeSequence",
)
"""What else one item of :data:`ORDER` says."""

COMMON = ("TimezoneOffsetFromUTC",)
"""SOP Common module (C.12.1): the zone that all dates and times without one are in."""

FILED_UNDER = PATIENT + TRIAL + STUDY + COMMON
"""What every object of the study says."""

SPACE = ("FrameOfReferenceUID", "PositionReferenceIndicator")
"""Frame of Reference module (C.7.4.1): for images, not for documents."""

BODY_PART = "BodyPartExamined"
LATERALITY = "Laterality"
"""General Series (C.7.3.1). A segmentation has no side of its own: its segments say theirs."""

UNPAIRED = frozenset(
    (
        *("ABDOMEN", "ABDOMENPELVIS", "AORTA", "BLADDER", "BRAIN", "CHEST", "CHESTABDOMEN", "CHESTABDPELVIS", "COCCYX"),
        *("COLON", "CSPINE", "CTSPINE", "DUODENUM", "ESOPHAGUS", "GALLBLADDER", "HEAD", "HEADNECK", "HEART", "JAW"),
        *("LARYNX", "LIVER", "LSPINE", "LSSPINE", "MEDIASTINUM", "NECK", "NECKCHEST", "NOSE", "PANCREAS", "PELVIS"),
        *("PHARYNX", "PROSTATE", "RECTUM", "SKULL", "SPINE", "SPLEEN", "SSPINE", "STERNUM", "STOMACH", "THYMUS"),
        *("THYROID", "TLSPINE", "TRACHEA", "TSPINE", "UTERUS", "WHOLEBODY"),
    )
)
"""Body parts that a patient has one of (PS3.16 annex L): they have no side."""

EVEN_IF_UNKNOWN = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
)
"""Type 2: there in every object, empty where the source does not say."""
