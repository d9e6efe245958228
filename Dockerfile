# The image has the one program and the roots of the web's certificate
# authorities, runs as nobody in particular, and writes to DATA_DIR alone. "make
# image" makes the same files without an engine, and a test holds the two to each
# other.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /out/vouchsafe ./cmd/vouchsafe \
 && mkdir -p /out/etc/vouchsafe /out/var/lib/vouchsafe

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY e2e/image/rootfs /
# Documents are mounted here; without any, nothing is enforced.
COPY --from=build /out/etc/vouchsafe /etc/vouchsafe
COPY --from=build --chown=65532:65532 --chmod=700 /out/var/lib/vouchsafe /var/lib/vouchsafe
COPY --from=build /out/vouchsafe /vouchsafe
ENV VOUCHSAFE_CONFIG_DIR=/etc/vouchsafe VOUCHSAFE_DATA_DIR=/var/lib/vouchsafe
EXPOSE 5000 8443 9091
USER 65532:65532
ENTRYPOINT ["/vouchsafe"]
CMD ["serve"]
