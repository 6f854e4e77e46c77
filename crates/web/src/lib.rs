//! HTTP shared by surfaces: callers, request ids, limits, serving.
