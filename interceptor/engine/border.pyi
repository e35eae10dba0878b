"""Where calls come in as Python objects or array rows."""

import numpy as np

from interceptor.engine.types import Field

#: the name a call's maker uses -> Field; `caller` is the From
TEXTS: dict[str, Field]
#: calls as rows: see engine.pyi
CALL_DTYPE: np.dtype[np.void]
