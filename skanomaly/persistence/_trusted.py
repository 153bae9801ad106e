"""The types of this package that a file may hold."""

from skanomaly.preprocessing import TRUSTED_TYPES as _PREPROCESSING

# Beside these, what skops itself trusts: estimators of scikit-learn, numbers, text and
# arrays. None of them runs code of the file, or depends on its sizes, when it is made.
TRUSTED_TYPES = [
    *_PREPROCESSING,
    "skanomaly.calibration._conformal.ConformalDetector",
    "skanomaly.calibration._tail.Tail",
    "skanomaly.detectors.alad.ALAD",
    "skanomaly.detectors.anogan.AnoGAN",
    "skanomaly.detectors.autoencoder.Autoencoder",
    "skanomaly.detectors.dagmm.DAGMM",
    "skanomaly.detectors.egbad.EGBAD",
    "skanomaly.detectors.f_anogan.FAnoGAN",
    "skanomaly.detectors.ganomaly.GANomaly",
    "skanomaly.detectors.memae.MemAE",
    "skanomaly.detectors.ognet.OGNet",
    "skanomaly.detectors.student_teacher.StudentTeacher",
    "skanomaly.detectors.vae.VAE",
    "skanomaly.ensemble._deep.DeepEnsemble",
    "skanomaly.ensemble._ensemble.DetectorEnsemble",
    "skanomaly.ensemble._scale.PValueScale",
    "skanomaly.metrics._scorer._OutlierScorer",
    "skanomaly.model_selection._detector.NoveltyDetector",
    "skanomaly.model_selection._search.NoveltySearchCV",
    "skanomaly.model_selection._split.NoveltySplit",
    "skanomaly.model_selection._synthetic._SyntheticOutlierScorer",
    "skanomaly.neighbors.NearestNeighborDetector",
    "skanomaly.video._motion.MotionWindows",
    "skanomaly.video._pooling.FramePooling",
    "scipy.sparse._csc.csc_array",
    "scipy.sparse._csc.csc_matrix",
    "scipy.sparse._csr.csr_array",
    "scipy.sparse._csr.csr_matrix",
    "sklearn.utils._bunch.Bunch",
]
