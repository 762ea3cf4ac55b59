"""Lets Slicer's DICOM browser load what MedAI wrote: segments, numbers, boxes, points and maps as one result.

A shell: :mod:`slicermedai.app.dicom_results` says which objects belong together, and
:mod:`slicermedai.app.dicom_load` reads and shows them. Objects of others are left to Slicer.
"""

import logging

import slicer
from DICOMLib import DICOMLoadable, DICOMPlugin
from slicer.i18n import tr as _
from slicer.i18n import translate

from slicermedai.app import dicom_load, dicom_results
from slicermedai.errors import MedAIError

CONFIDENCE = 0.99
"""Above that of Slicer's own plugins, which load the same objects one by one."""
MESSAGE_MILLISECONDS = 10000


class DICOMMedAIPluginClass(DICOMPlugin):
    """What the DICOM module asks; decides nothing."""

    def __init__(self):
        super().__init__()
        self.loadType = "MedAI result"
        self.tags.update(dicom_results.TAGS)

    def examineForImport(self, fileList):
        """Not cached by files, as the base class does: a result may have got more objects since."""
        return [self._loadable(offer) for offer in dicom_results.find(slicer.dicomDatabase, fileList, self.translate)]

    def examineFiles(self, files):
        return self.examineForImport([files])

    def load(self, loadable):
        """Show the result; a failure leaves the scene as it was, and says why in the log and the status bar."""
        scene, key = slicer.mrmlScene, loadable.resultKey
        if loadable.isCompanion and dicom_load.is_shown(key, scene):
            return True
        try:
            loaded = dicom_load.load_result(loadable.files, scene, key=key)
        except MedAIError as error:
            self._tell(loadable, str(error), logging.ERROR)
            return False
        if loaded.told:
            self._tell(loadable, "\n".join(loaded.told), logging.WARNING)
        return True

    def translate(self, text):
        return translate("DICOMMedAIPlugin", text)

    def _loadable(self, offer):
        loadable = DICOMLoadable()
        loadable.files = list(offer.files)
        loadable.name, loadable.tooltip, loadable.warning = offer.name, offer.tooltip, offer.warning
        loadable.selected, loadable.confidence = True, CONFIDENCE
        loadable.resultKey, loadable.isCompanion = offer.key, offer.is_companion
        loadable.referencedInstanceUIDs = list(offer.images)
        return loadable

    def _tell(self, loadable, text, level):
        """Nothing modal: many results may be loaded at once."""
        loadable.warning = text
        logging.log(level, "%s: %s", loadable.name, text)
        slicer.util.showStatusMessage(text.partition("\n")[0], MESSAGE_MILLISECONDS)


class DICOMMedAIPlugin:
    """What Slicer finds as a module: it has no panel, and adds the plugin to the DICOM module's list."""

    def __init__(self, parent):
        parent.title = _("DICOM MedAI result plugin")
        parent.categories = ["Developer Tools.DICOM Plugins"]
        parent.dependencies = ["DICOM"]
        parent.contributors = ["The SlicerMedAI contributors"]
        parent.helpText = _(
            "Loads results of MedAI from DICOM objects as a whole, and says which algorithm made them, how far it was "
            "calibrated and whether a person verified it. Research use only: not a medical device."
        )
        parent.acknowledgementText = _("Built on pydicom, highdicom and 3D Slicer.")
        parent.hidden = True
        if not hasattr(slicer.modules, "dicomPlugins"):
            slicer.modules.dicomPlugins = {}
        slicer.modules.dicomPlugins["DICOMMedAIPlugin"] = DICOMMedAIPluginClass
