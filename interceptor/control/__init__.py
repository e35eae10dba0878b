"""The control plane on grpcio: Admin, health, reflection, and the same Interception service the data plane offers."""
